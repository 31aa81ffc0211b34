// Preloaded (`--require`) into a process: when it ends, writes to the file $TELL_LOADED what was loaded into it.
const { writeFileSync } = require('node:fs')
const workers = require('node:worker_threads')

let threads = 0
workers.Worker = class extends workers.Worker {
  constructor(...args) {
    super(...args)
    threads++
  }
}

process.on('exit', () => {
  const addons = process.report.getReport().sharedObjects.filter((file) => file.endsWith('.node'))
  const scripts = Object.keys(require.cache)
  writeFileSync(process.env.TELL_LOADED, JSON.stringify({ addons, scripts, threads }))
})
