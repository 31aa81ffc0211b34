import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Tests run the sources, but worker threads run `dist/`: Node 20 cannot load TypeScript. This builds it when a source
 * is newer than what was built of it. What does not compile is reported, not fatal: `npm run lint` is the judge.
 */
export function setup(): void {
  if (staleSources().length === 0) return
  try {
    execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error)
    console.warn(`dist/ was built from sources with errors:\n${output.split('\n').slice(0, 10).join('\n')}`)
  }
}

const ROOT = join(import.meta.dirname, '..')

function staleSources(): string[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .filter((file) => {
      const built = statSync(join(ROOT, 'dist', file.replace(/\.ts$/, '.js')), { throwIfNoEntry: false })
      return built === undefined || built.mtimeMs < statSync(join(ROOT, 'src', file)).mtimeMs
    })
}
