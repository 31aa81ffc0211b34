import { describe, expect, test } from 'vitest'
import type { Dimension } from '../../../bench/scale/curves.ts'
import { plotGroup, renderDimension } from '../../../bench/scale/report.ts'

const DIMENSION: Dimension = {
  title: 'Size of the source',
  axis: 'GB of node data',
  unit: 'GB',
  groups: [
    {
      id: 'size-first',
      title: 'First backup against the size of the source',
      unit: 's',
      curves: [
        {
          name: 'wall time',
          points: [
            [1, 4],
            [1, 6],
            [2, 7],
            [3, 9],
          ],
        },
        {
          name: 'CPU time',
          points: [
            [1, 2],
            [3, 2],
          ],
        },
      ],
    },
  ],
}

describe('how costs grow', () => {
  test('is told by medians, and by the line through all points', () => {
    const text = renderDimension(DIMENSION, ({ id }) => `plots/${id}.svg`)
    expect(text).toContain('| GB of node data | 1.00 | 2.00 | 3.00 | slope')
    // By hand: means 1.75 and 6.5; 5.5 / 2.75 = 2; 13 - 2 × 5.5 = 2 of 13 are not explained.
    expect(text).toMatch(/\| wall time, s +\| 5\.00 \| 7\.00 \| 9\.00 \| 2 s per GB \| 3\.00 s \| 0\.846 \|/)
    expect(text).toMatch(/\| CPU time, s +\| 2\.00 \| – +\| 2\.00 \| 0 s per GB \| 2\.00 s \| 1\.000 \|/)
    expect(text).toContain('![First backup against the size of the source](plots/size-first.svg)')
  })

  test('is drawn with title, axes, and a legend of the figures', () => {
    const svg = plotGroup(DIMENSION.groups[0]!, DIMENSION)
    const texts = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1]!)
    for (const wanted of [
      'First backup against the size of the source',
      'GB of node data',
      's',
      'wall time',
      'CPU time',
    ])
      expect(texts).toContain(wanted)
    expect(texts.filter((text) => text.includes('fitted'))).toEqual([])
    expect(svg.match(/stroke-dasharray/g)?.length).toBe(2)
  })
})
