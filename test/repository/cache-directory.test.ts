import { expect, test } from 'vitest'
import { defaultCacheDirectory } from '../../src/repository/cache-directory.ts'

test('the cache is where the environment says, else where the platform has caches', () => {
  expect(defaultCacheDirectory({}, '/home/me', 'linux')).toBe('/home/me/.cache/chainkeep')
  expect(defaultCacheDirectory({}, '/Users/me', 'darwin')).toBe('/Users/me/Library/Caches/chainkeep')
  expect(defaultCacheDirectory({ XDG_CACHE_HOME: '/xdg' }, '/home/me', 'darwin')).toBe('/xdg/chainkeep')
  const both = { XDG_CACHE_HOME: '/xdg', CHAINKEEP_CACHE_DIR: '/mine' }
  expect(defaultCacheDirectory(both, '/home/me', 'linux')).toBe('/mine')
})
