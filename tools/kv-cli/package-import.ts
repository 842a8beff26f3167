import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * Loads a package that need not be there: as the folder sees it in which the command runs, else as Siltstone does. Undefined where
 * neither has it, or where it does not load.
 */
export async function importPackage<T>(name: string): Promise<T | undefined> {
  for (const from of [pathToFileURL(join(process.cwd(), 'package.json')).href, import.meta.url]) {
    try {
      const found: unknown = await import(pathToFileURL(createRequire(from).resolve(name)).href)
      return found as T
    } catch {
      // The next place may have it.
    }
  }
  return undefined
}
