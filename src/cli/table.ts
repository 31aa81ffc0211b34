export interface Column<Row> {
  readonly title: string
  /** A cell may take several lines. */
  readonly value: (row: Row) => string | readonly string[]
  readonly align?: 'left' | 'right'
  /** Left out when every cell is empty. */
  readonly optional?: boolean
  /** Colours a cell that is already padded. */
  readonly paint?: (text: string) => string
  /** Makes a line of a cell fit `width` where the table would not fit otherwise; it may have to stay longer. */
  readonly shorten?: (text: string, width: number) => string
}

/**
 * The lines of a table: titles, a rule, the rows, and the rule again. Widths are those on a terminal, which has `available`
 * columns. Without them, nothing is shortened.
 */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  available: number = Number.POSITIVE_INFINITY,
): string[] {
  const full = columns
    .map((column) => ({ column, cells: rows.map((row) => linesOf(column.value(row))) }))
    .filter(({ column, cells }) => !column.optional || cells.some((lines) => lines.some((line) => line !== '')))
    .map(measure)
  const excess = totalWidth(full) - available
  const shown = excess > 0 ? full.map((each) => shortenCells(each, each.width - excess)) : full
  const line = (texts: readonly string[], painted: boolean): string =>
    shown
      .map(({ column, width }, i) => {
        const text = pad(texts[i] ?? '', width, column.align, i === shown.length - 1)
        return painted && column.paint ? column.paint(text) : text
      })
      .join('  ')
      .trimEnd()
  const body = rows.flatMap((_, r) => {
    const height = Math.max(...shown.map(({ cells }) => cells[r]!.length))
    return Array.from({ length: height }, (_, i) =>
      line(
        shown.map(({ cells }) => cells[r]![i] ?? ''),
        true,
      ),
    )
  })
  const rule = '-'.repeat(Math.min(totalWidth(shown), available))
  return [
    line(
      shown.map(({ column }) => column.title),
      false,
    ),
    rule,
    ...body,
    rule,
  ]
}

interface Cells<Row> {
  readonly column: Column<Row>
  /** The lines of each cell. */
  readonly cells: readonly (readonly string[])[]
  readonly width: number
}

function measure<Row>({ column, cells }: Omit<Cells<Row>, 'width'>): Cells<Row> {
  return { column, cells, width: widest([column.title, ...cells.flat()]) }
}

function shortenCells<Row>(full: Cells<Row>, width: number): Cells<Row> {
  const { shorten } = full.column
  if (!shorten) return full
  const shortened = (text: string): string => (displayWidth(text) <= width ? text : shorten(text, width))
  return measure({ column: full.column, cells: full.cells.map((lines) => lines.map(shortened)) })
}

function totalWidth(columns: readonly { readonly width: number }[]): number {
  return columns.reduce((sum, { width }) => sum + width, 2 * (columns.length - 1))
}

/** Lines of `name  value`, the values aligned. */
export function renderPairs(pairs: readonly (readonly [name: string, value: string])[]): string[] {
  const width = widest(pairs.map(([name]) => name))
  return pairs.map(([name, value]) => `${pad(name, width)}  ${value}`)
}

/** Columns that `text` takes on a terminal: none for marks that combine, two for East Asian wide characters and emoji. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const char of text) if (!ZERO_WIDTH.test(char)) width += WIDE.test(char) ? 2 : 1
  return width
}

const ZERO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u

function linesOf(value: string | readonly string[]): readonly string[] {
  if (typeof value === 'string') return [value]
  return value.length > 0 ? value : ['']
}

const widest = (texts: readonly string[]): number => texts.reduce((most, text) => Math.max(most, displayWidth(text)), 0)

function pad(text: string, width: number, align: 'left' | 'right' = 'left', isLast = false): string {
  const spaces = ' '.repeat(Math.max(0, width - displayWidth(text)))
  if (align === 'right') return spaces + text
  return isLast ? text : text + spaces
}
