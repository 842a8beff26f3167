import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { apiPages } from './pages.js'
import { readSurfaces } from './surface.js'

/*
 * `npm run docs:api`: writes docs/api from the declarations that the package exports and the comments above them.
 */

// From dist/tools/api-docs to the root.
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
mkdirSync(join(root, 'docs/api'), { recursive: true })
for (const [name, text] of apiPages(readSurfaces(root))) writeFileSync(join(root, 'docs/api', name), text)
