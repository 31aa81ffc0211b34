import { markdownTable } from '../report/markdown.ts'

/** One kind of work: rows of inputs, columns of implementations. */
export interface MicroTable {
  readonly title: string
  /** What the figures are, and of what. */
  readonly note: string
  readonly rows: readonly MicroRow[]
}

export interface MicroRow {
  readonly name: string
  /** By column. */
  readonly cells: Readonly<Record<string, string>>
}

/** In Markdown. Columns are in the order in which rows name them first. */
export function renderTable({ title, note, rows }: MicroTable): string {
  const columns = [...new Set(rows.flatMap(({ cells }) => Object.keys(cells)))]
  const lines = rows.map(({ name, cells }) => [name, ...columns.map((column) => cells[column] ?? '–')])
  return `## ${title}\n\n${note}\n\n${markdownTable([['', ...columns], ...lines])}`
}

/** `1 234`: bytes a second in MB of a million, or operations. */
export const wholeNumber = (value: number): string => Math.round(value).toLocaleString('en').replaceAll(',', ' ')

export const megabytesASecond = (rates: Readonly<Record<string, number>>): Record<string, string> =>
  Object.fromEntries(Object.entries(rates).map(([name, rate]) => [name, wholeNumber(rate / 1e6)]))
