import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Packages that pages show and that are not installed: native ones of other stores. In their place stands what does as they do. */
const PACKAGES = ['better-sqlite3', 'lmdb']

/** Puts the stand-ins where code of the folder finds them first, whatever is installed further up. */
export function putStandIns(folder: string): void {
  for (const name of PACKAGES) {
    const home = join(folder, 'node_modules', name)
    mkdirSync(home, { recursive: true })
    for (const file of [`${name}.mjs`, `${name}.d.mts`])
      copyFileSync(join('test/docs/stand-ins', file), join(home, file))
    const exports = { types: `./${name}.d.mts`, default: `./${name}.mjs` }
    writeFileSync(join(home, 'package.json'), JSON.stringify({ name, version: '0.0.0', exports }))
  }
}
