import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { blocksBelow, commandsOf, typed } from '../docs/console.js'
import { BIN } from './kv-cli.js'

it('kv-cli prints what the first words of its page say that it prints', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'siltstone-guide-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'kv-cli'), `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`, { mode: 0o755 })
  const { KV_DB: _, ...inherited } = process.env

  const { code } = blocksBelow('docs/guide/cli.md', '# Use it from the command line')[0]!
  const shown = await typed(commandsOf(code), folder, { ...inherited, PATH: `${bin}:${process.env.PATH}` })
  expect(shown).toBe(code)
})
