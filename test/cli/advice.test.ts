import { expect, test } from 'vitest'
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

test('what says already what to do is left as it is', () => {
  expect(explain(failed('ENOENT'))).toBe('cannot write /repository/config: no such file or directory')
  const error = new ChainkeepError('NO_SPACE', 'the disk is full: free up to 3 MiB', { missingBytes: 3 })
  expect(explain(error)).toBe(error.message)
})
