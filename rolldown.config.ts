import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig, type Plugin } from 'rolldown'

/**
 * What `npm run build` makes of the modules that tsc has written. A command is to start fast, so: few files; CommonJS, which
 * loads in 8 ms less than ECMAScript modules do (Node 20); and what only some commands need in files of its own. Nothing is
 * minified, so that stacks can be read.
 */
export default defineConfig({
  input: {
    index: 'dist-modules/index.js',
    'cli/bin': 'dist-modules/cli/bin.js',
    'worker/main': 'dist-modules/worker/main.js',
  },
  platform: 'node',
  external: [/^(@noble\/hashes|koffi|level|zstd-napi)(\/|$)/],
  // commander runs programs for verbs that are files of their own; ours are not, and to load it takes 4 ms.
  resolve: { alias: { 'node:child_process': 'node:process' } },
  plugins: [addFile('package.json', () => '{ "type": "commonjs" }\n'), addFile('licenses.txt', licensesOf)],
  output: {
    dir: 'dist',
    format: 'cjs',
    chunkFileNames: 'chunks/[name].js', // as deep as sources lie: some name files by their distance
    comments: { legal: true, annotation: false, jsdoc: false },
    codeSplitting: {
      groups: [
        { name: 'base', test: /dist-modules\/base\// },
        { name: 'native', test: /dist-modules\/native\/(compress|hash|kernel|scan)\.js$/ },
        { name: 'command-line', test: /dist-modules\/cli\/(command|main)\.js$/ },
        {
          name: 'repository',
          test: /dist-modules\/repository\/(cleared-snapshots|known-packs|lists|local|reachability|snapshots|trees|write-session)\.js$/,
        },
      ],
    },
  },
})

/** Writes one more file, by what modules there are. */
function addFile(fileName: string, content: (modules: readonly string[]) => string): Plugin {
  return {
    name: `add-${fileName}`,
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []))
      this.emitFile({ type: 'asset', fileName, source: content(modules) })
    },
  }
}

/** Of the packages whose code is in the files. */
function licensesOf(modules: readonly string[]): string {
  const packages = modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? [])
  const texts = [...new Set(packages)].sort().map((folder) => {
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string }
    return `${name}\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8').trim()}\n`
  })
  return texts.join('\n\n')
}
