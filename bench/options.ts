import { InvalidArgumentError, Option } from 'commander'
import { parseSize as bytesOf } from '../src/cli/sizes.ts'

/** `64K`, `200M` or `2G` in bytes. */
export function parseSize(text: string): number {
  const bytes = bytesOf(text)
  if (bytes === undefined) throw new InvalidArgumentError('It must be a size such as 200M or 2G.')
  return bytes
}

/** A whole number, 0 or more. */
export function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

/** For `--size`: the default is shown as it would be typed. */
export const sizeOption = (flags: string, description: string, size: string): Option =>
  new Option(flags, description).argParser(parseSize).default(parseSize(size), size)

/** Names separated by commas, all of which must be among `known`. */
export function parseNames(known: readonly string[]): (text: string) => string[] {
  return (text) => {
    const names = text.split(',')
    const unknown = names.find((name) => !known.includes(name))
    if (unknown !== undefined) throw new InvalidArgumentError(`There is no ${unknown}, only ${known.join(', ')}.`)
    return names
  }
}

/** As it was typed, for the head of a report. */
export const commandLine = (script: string, argv: readonly string[] = process.argv.slice(2)): string =>
  ['npm run', script, ...(argv.length > 0 ? ['--'] : []), ...argv].join(' ')
