import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)

/**
 * Loads a package that need not be there. The compiler does not see which one it is, because its types are not there either
 * wherever the package is not.
 */
export async function loadPackage<T>(name: string): Promise<T> {
  try {
    return (await import(name)) as T
  } catch (error) {
    const [firstLine] = String((error as Error).message).split('\n')
    throw new Error(`the package ${name} cannot be loaded: ${firstLine}`)
  }
}

/** The version that `loadPackage` would load, from the nearest package.json above the file that is loaded. */
export function packageVersion(name: string): string {
  for (let folder = dirname(require.resolve(name)); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const found = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      if (found.name === name) return found.version
    } catch {
      // Not every folder of a package has one.
    }
  }
  return 'of unknown version'
}
