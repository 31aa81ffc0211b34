import { displayWidth } from './table.ts'

/** A path with its middle left out, as `/var/…/node`, or `…/node`: as much of its end as fits, or at least its name. */
export function shortenPath(path: string, width: number): string {
  const [, first, ...rest] = path.split('/')
  const tails = rest.map((_, i) => `…/${rest.slice(i).join('/')}`)
  const candidates = [...tails.map((tail) => `/${first}/${tail}`), ...tails].filter(
    (text) => displayWidth(text) < displayWidth(path),
  )
  return candidates.find((text) => displayWidth(text) <= width) ?? candidates.at(-1) ?? path
}
