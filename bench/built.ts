/** Processes and threads run JavaScript: from the sources (in tests) that is the build's. `path` is below this folder. */
export const builtScript = (path: string): URL =>
  new URL(import.meta.url.endsWith('.ts') ? `../dist-bench/bench/${path}` : `./${path}`, import.meta.url)
