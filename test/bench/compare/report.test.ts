import { describe, expect, test } from 'vitest'
import { renderPlots } from '../../../bench/compare/plots.ts'
import { renderReport } from '../../../bench/compare/report.ts'
import type { Series } from '../../../bench/compare/series.ts'
import { cost, resultsOf, roundOf } from './made-up.ts'

const SERIES: Series = {
  hours: [
    { blkBytes: 9e6, revBytes: 1e6 },
    { blkBytes: 18e6, revBytes: 2e6 },
  ],
  backups: {
    chainkeep: [100e6, 111e6, 133e6].map((repositoryBytes) => cost(1.5, { repositoryBytes })),
    restic: [cost(3), cost(4), { failure: '1: broken' }],
  },
}

describe('the report', () => {
  test('gives medians, extremes and ratios', () => {
    const rounds = [
      roundOf({ first: { chainkeep: cost(2), restic: cost(4) } }),
      roundOf({ first: { chainkeep: cost(9), restic: cost(8) } }),
      roundOf({ first: { chainkeep: cost(1), restic: cost(5) } }),
    ]
    const text = renderReport(resultsOf(rounds), ['plots/times.svg'])
    expect(text).toMatch(/\| first backup \| – +\| 2\.00 \(1\.00–9\.00\) \| 5\.00 \(4\.00–8\.00\) \| – /)
    expect(text).toMatch(/As multiples of chainkeep’s:\n\n.*\n.*\n\| first backup \| – +\| 2\.50 /)
    expect(text).toContain('![times](plots/times.svg)')
    expect(text).toContain('10.0 MB in round 1')
    expect(text).toContain('unset NODE_EXTRA_CA_CERTS')
    expect(text).toContain('restic -r REPO backup SOURCE')
    expect(text).not.toContain('Failures')
  })

  test('hides no failure', () => {
    const rounds = [
      roundOf({ first: { chainkeep: cost(2), restic: cost(4) } }),
      roundOf({ first: { chainkeep: { failure: '1: broken' }, restic: cost(4) } }),
    ]
    const text = renderReport(resultsOf(rounds, { series: SERIES }), [])
    expect(text).toMatch(/\| first backup \| – +\| failed 1 of 2 \| 4\.00 /)
    expect(text).toContain('- first, chainkeep: 1: broken')
    expect(text).toContain('- hour after hour, restic: 1: broken')
    expect(text).toMatch(/\| 2 +\| 20\.0 +\| 1\.50 +\| 133 +\| failed +\| failed /)
  })

  test('sums up the hours', () => {
    const text = renderReport(resultsOf([], { series: SERIES }), [])
    expect(text).toContain('Truly new in 2 hours (records appended to block and undo files): 30.0 MB')
    expect(text).toContain('chainkeep 33.0 MB (1.10 ×); restic failed')
  })
})

describe('plots', () => {
  const rounds = [roundOf({ first: { chainkeep: cost(2), restic: cost(4) } })]
  const series = { ...SERIES, backups: { ...SERIES.backups, 'borg-plain': [cost(1), cost(2), cost(3)] } }
  const plots = renderPlots(resultsOf(rounds, { series }))

  test('are one of the rows and three of the hours', () => {
    expect(Object.keys(plots)).toEqual(['times.svg', 'hourly-time.svg', 'hourly-growth.svg', 'hourly-size.svg'])
    expect(Object.keys(renderPlots(resultsOf(rounds)))).toEqual(['times.svg'])
  })

  test('have a title, axes with units and a legend with every tool, on white', () => {
    for (const name of ['hourly-time.svg', 'hourly-growth.svg', 'hourly-size.svg']) {
      const texts = textsOf(plots[name]!)
      expect(texts).toEqual(expect.arrayContaining(['chainkeep', 'restic', 'borg, not encrypted']))
      expect(texts).toContain('hours since the first backup')
      expect(texts).toContain('2 hours of growth of 2.00 GiB of node data')
      expect(texts).toContainEqual(expect.stringMatching(/^(Time|Growth|Size) of /))
      expect(texts).toContainEqual(expect.stringMatching(/^(seconds|MB)/))
      expect(plots[name]).toMatch(/<rect [^>]*fill="#fff"/)
    }
    expect(textsOf(plots['hourly-growth.svg']!)).toContain('truly new')
    const bars = textsOf(plots['times.svg']!)
    expect(bars).toEqual(
      expect.arrayContaining(['chainkeep', 'restic', 'cp -r', 'first backup', 'seconds', 'Wall time']),
    )
    expect(bars).toEqual(expect.arrayContaining(['2.00', '4.00']))
  })
})

const textsOf = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1]!)
