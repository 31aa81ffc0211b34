import { expect, test } from 'vitest'
import { formatMegabytes, threeDigits } from '../../../bench/report/units.ts'

test('figures have three digits, large ones all they need', () => {
  const texts = [0, 0.0534, 0.9994, 0.9996, 1.234, 9.996, 31.94, 99.96, 1560.4, -0.0534].map(threeDigits)
  expect(texts).toEqual(['0.000', '0.053', '0.999', '1.00', '1.23', '10.0', '31.9', '100', '1560', '-0.053'])
})

test('megabytes are of a million bytes', () => {
  expect(formatMegabytes(12_345_678)).toBe('12.3 MB')
})
