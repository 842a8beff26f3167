import { existsSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'

/**
 * The compiled file of that name beside the code that asks, which gives its `import.meta.url`; `undefined` where it is not there. Code that
 * a bundler has put into another file is beside what is beside that one.
 */
export function fileBeside(name: string, moduleUrl: string | undefined): URL | undefined {
  for (const base of places(moduleUrl)) {
    const url = new URL(name, base)
    if (existsSync(fileURLToPath(url))) return url
  }
  return undefined
}

function places(moduleUrl: string | undefined): string[] {
  const found: string[] = []
  // There may be none in a bundle of CommonJS. From the sources, as tests run them, compiled code is where the build puts it.
  if (moduleUrl?.startsWith('file:')) found.push(moduleUrl.replace(/\/(src\/[^/]+\/[^/]+\.ts)$/, '/dist/$1'))
  // Some bundlers write the place of the source into the bundle, and this one is left alone, or can be.
  if (typeof __filename === 'string') found.push(pathToFileURL(__filename).href)
  return found
}
