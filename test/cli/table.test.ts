import { expect, test } from 'vitest'
import { displayWidth, renderPairs, renderTable } from '../../src/cli/table.ts'

interface Row {
  readonly name: string
  readonly size: number
  readonly tags: readonly string[]
}

const rows: Row[] = [
  { name: 'a', size: 5, tags: [] },
  { name: 'データ', size: 1234, tags: ['x', 'y'] },
]

test('columns are aligned by what a terminal shows, and cells may take several lines', () => {
  const lines = renderTable<Row>(
    [
      { title: 'Name', value: ({ name }) => name },
      { title: 'Size', value: ({ size }) => String(size), align: 'right' },
      { title: 'Tags', value: ({ tags }) => tags },
    ],
    rows,
  )
  expect(lines).toEqual([
    'Name    Size  Tags',
    '------------------',
    'a          5',
    'データ  1234  x',
    '              y',
    '------------------',
  ])
})

test('a column without anything in it is left out if it may be', () => {
  const columns = [
    { title: 'Name', value: ({ name }: Row) => name },
    { title: 'Tags', value: ({ tags }: Row) => tags, optional: true },
  ]
  expect(renderTable(columns, [rows[0]!])[0]).toBe('Name')
  expect(renderTable(columns, rows)[0]).toBe('Name    Tags')
})

test('colours do not count as width', () => {
  const [, , line] = renderTable<Row>(
    [{ title: 'Name', value: ({ name }) => name, paint: (text) => `<${text}>` }],
    rows,
  )
  expect(line).toBe('<a>')
})

test('on a terminal, what can be shortened is, and no rule is longer than a line', () => {
  const columns = [
    { title: 'Name', value: ({ name }: Row) => name },
    {
      title: 'Tags',
      value: ({ tags }: Row) => tags.join('/'),
      shorten: (text: string, width: number) => text.slice(0, width),
    },
  ]
  const row = { name: 'name', size: 1, tags: ['long', 'tags'] }
  expect(renderTable(columns, [row])).toEqual(['Name  Tags', '---------------', 'name  long/tags', '---------------'])
  expect(renderTable(columns, [row], 15)).toEqual(renderTable(columns, [row]))
  expect(renderTable(columns, [row], 12)).toEqual(['Name  Tags', '------------', 'name  long/t', '------------'])
  expect(renderTable(columns, [row], 8)).toEqual(['Name  Tags', '--------', 'name  lo', '--------'])
})

test('width of what is wide, combines, or is not seen at all', () => {
  expect(displayWidth('abc')).toBe(3)
  expect(displayWidth('データ')).toBe(6)
  expect(displayWidth('e\u0301')).toBe(1)
  expect(displayWidth('🙂')).toBe(2)
  expect(displayWidth('naïve')).toBe(5)
})

test('pairs', () => {
  expect(renderPairs([['A', '1'], ['Long', '2']])).toEqual(['A     1', 'Long  2']) // biome-ignore format: a line is clearer
})
