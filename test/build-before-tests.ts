import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Tests run the sources, but worker threads run what is built of them: Node 20 cannot load TypeScript. This builds `dist/`
 * and `dist-bench/` when a source is newer. What does not compile is reported, not fatal: `npm run lint` is the judge.
 */
export function setup(): void {
  buildStale('src', 'dist-modules', 'build')
  buildStale('bench', 'dist-bench/bench', 'bench:build')
}

const ROOT = join(import.meta.dirname, '..')

function buildStale(sources: string, built: string, script: string): void {
  if (staleSources(sources, built).length === 0) return
  try {
    execFileSync('npm', ['run', '--silent', script], { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error)
    console.warn(`${built} was built from sources with errors:\n${output.split('\n').slice(0, 10).join('\n')}`)
  }
}

function staleSources(sources: string, built: string): string[] {
  return readdirSync(join(ROOT, sources), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .filter((file) => {
      const script = statSync(join(ROOT, built, file.replace(/\.ts$/, '.js')), { throwIfNoEntry: false })
      return script === undefined || script.mtimeMs < statSync(join(ROOT, sources, file)).mtimeMs
    })
}
