import { expect, test } from 'vitest'
import { badFormat } from '../../src/base/bytes.ts'
import { ChainkeepError, fileError } from '../../src/base/errors.ts'
import { explain } from '../../src/cli/advice.ts'

const failed = (code: string): ChainkeepError =>
  fileError('cannot write /repository/config', Object.assign(new Error(code), { code }))

test('a failed call is told with its reason and what to do', () => {
  expect(explain(failed('ENOSPC'))).toBe(
    'cannot write /repository/config: no space left on the device; free some space there and run it again',
  )
  for (const code of ['EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'EIO', 'EMFILE', 'ENFILE'])
    expect(explain(failed(code))).toMatch(/^cannot write \/repository\/config: [^:;]+; [^;]+$/)
})

test('damage is told with where it is and how to learn more', () => {
  const advice = '"chainkeep check" tells what else is damaged, "chainkeep help repair" what can be done'
  const damage = badFormat('meta/12', 40, 'a tree of no nodes')
  expect(explain(damage)).toBe(`${damage.message}; ${advice}`)
  const lost = new ChainkeepError('NOT_FOUND', 'tree 12 is in no pack of the repository', { kind: 'tree', id: '12' })
  expect(explain(lost)).toBe(`${lost.message}; ${advice}`)
})

test('what says already what to do is left as it is', () => {
  const damage = badFormat('config', 0, 'no map')
  const config = new ChainkeepError(damage.code, 'config is damaged: copy it back', damage.details, damage)
  expect(explain(config)).toBe(config.message)
  expect(explain(failed('ENOENT'))).toBe('cannot write /repository/config: no such file or directory')
  const error = new ChainkeepError('NO_SPACE', 'the disk is full: free up to 3 MiB', { missingBytes: 3 })
  expect(explain(error)).toBe(error.message)
})
