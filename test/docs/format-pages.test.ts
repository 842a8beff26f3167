import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { formatPages } from '../../tools/format-docs.js'

const root = join(import.meta.dirname, '../..')

describe('docs/format', () => {
  it('says what the heads of the sources say; npm run docs:format writes it anew', () => {
    for (const [name, text] of formatPages(root)) {
      const path = join(root, 'docs/format', name)
      expect(existsSync(path) ? readFileSync(path, 'utf8') : undefined, name).toBe(text)
    }
  })
})
