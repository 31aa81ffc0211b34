/**
 * Runs the kernel's tests under AddressSanitizer and UndefinedBehaviorSanitizer: `npm run test:sanitize`. The addon is
 * built beside the usual one and found by the condition `sanitize` of `#kernel` in package.json. gcc only, on Linux.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
const folder = join(root, 'src/native/kernel')
const addon = join(folder, 'build/sanitize/kernel.node')
const sources = readdirSync(folder).filter((file) => file.endsWith('.c'))
const headers = process.env.npm_config_nodedir ?? dirname(dirname(process.execPath))

mkdirSync(dirname(addon), { recursive: true })
execFileSync(
  'gcc',
  [
    ...['-std=c11', '-g', '-O1', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC'],
    ...['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'],
    ...['-I', join(headers, 'include/node'), '-o', addon, ...sources],
  ],
  { cwd: folder, stdio: 'inherit' },
)
execFileSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    ...['kernel', 'products', 'crc32'].map((name) => `test/native/${name}.test.ts`),
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      NODE_OPTIONS: '--conditions=sanitize',
      LD_PRELOAD: execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim(),
      ASAN_OPTIONS: 'detect_leaks=0', // V8 keeps what it has to the end
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
  },
)
