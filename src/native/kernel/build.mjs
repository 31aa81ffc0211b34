/**
 * Builds the kernel at install, with the node-gyp that npm brings along. Without a compiler nothing is lost but speed: one
 * line says so, and the installation goes on. `CHAINKEEP_KERNEL=off` builds none.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

const folder = import.meta.dirname
const addon = join(folder, 'build', 'Release', 'kernel.node')

const reason = process.env.CHAINKEEP_KERNEL === 'off' ? 'CHAINKEEP_KERNEL is off' : build()
if (reason) {
  rmSync(addon, { force: true })
  process.stdout.write(`chainkeep: built without its native kernel (${reason}); everything works, but slower\n`)
}

/** Returns why it could not, if so. */
function build() {
  const { npm_config_node_gyp: nodeGyp, npm_config_nodedir: given } = process.env
  const gypArguments = ['rebuild', '--loglevel=error', '-C', folder]
  // The headers that came with this Node, instead of a download.
  const home = dirname(dirname(process.execPath))
  if (!given && existsSync(join(home, 'include', 'node', 'node_api.h'))) gypArguments.push(`--nodedir=${home}`)
  const [command, ...prefix] = nodeGyp ? [process.execPath, nodeGyp] : ['node-gyp']
  const { error, status } = spawnSync(command, [...prefix, ...gypArguments], { stdio: 'ignore', timeout: 300_000 })
  if (error) return error.message
  if (status !== 0) return 'node-gyp, a C compiler, make and Python are needed'
  return existsSync(addon) ? '' : 'nothing was built'
}
