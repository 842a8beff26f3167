import { existsSync, readFileSync } from 'node:fs'

/** Of the package this file is part of, wherever in it the build has put it. */
export function packageVersion(): string {
  let manifest = new URL('./package.json', import.meta.url)
  while (!existsSync(manifest)) manifest = new URL('../package.json', manifest)
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}
