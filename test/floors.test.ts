import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { circles, importsBelow, importsOf, upwardImports } from './imports.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const imports = importsBelow(root, ['src', 'tools', 'bench'])

describe('the house', () => {
  it('is seen by this test', () => {
    expect(imports.length).toBeGreaterThan(50)
    expect(imports).toContainEqual({ from: 'src/fs/disk-file-system.ts', to: 'src/fs/disk-file.ts' })
  })

  it('has stairs that only go down', () => {
    expect(upwardImports(imports)).toEqual([])
  })

  it('has no circles', () => {
    expect(circles(imports)).toEqual([])
  })

  it('has no circles among its tests', () => {
    expect(circles(importsBelow(root, ['test']))).toEqual([])
  })
})

describe('an import', () => {
  const found = (file: string, text: string): string[] => importsOf(file, text).map(({ to }) => to)

  it('is found in every form', () => {
    const text = `
      import a, { b } from './a.js'
      import type { C } from '../bytes/c.js'
      import './d.js'
      import {
        e,
      } from './e.js'
      export * from './f.js'
      export type { G } from './g.js'
      const h = await import('./h.js')
      const i: import('./i.js').I = new Worker(new URL('./worker.js', import.meta.url))
      const built = new URL('../../dist/src/log/worker.js', import.meta.url)
      import fs from 'node:fs'
      const note = "import './not-this.js'" // import './nor-this.js'
      const fixture = new URL('./fixture.json', import.meta.url)`
    expect(found('src/log/x.ts', text)).toEqual([
      'src/log/a.ts',
      'src/bytes/c.ts',
      'src/log/d.ts',
      'src/log/e.ts',
      'src/log/f.ts',
      'src/log/g.ts',
      'src/log/h.ts',
      'src/log/i.ts',
      'src/log/worker.ts',
      'src/log/worker.ts',
    ])
  })

  it('is refused when it goes up, types included', () => {
    const text = "import type { Database } from '../store/database.js'"
    expect(upwardImports(importsOf('src/log/x.ts', text))).toEqual([
      'src/log/x.ts (floor 2) imports src/store/database.ts (floor 5)',
    ])
  })

  it('is refused when it goes across', () => {
    const across = [
      { from: 'src/memtable/a.ts', to: 'src/table/b.ts' },
      { from: 'src/table/b.ts', to: 'src/memtable/a.ts' },
      { from: 'src/queue/a.ts', to: 'src/shard/b.ts' },
    ]
    expect(upwardImports(across)).toHaveLength(3)
  })

  it('is refused when it leaves the floor through a door', () => {
    expect(upwardImports([{ from: 'src/store/a.ts', to: 'src/index.ts' }])).toHaveLength(1)
    expect(upwardImports([{ from: 'src/store/a.ts', to: 'test/clock.ts' }])).toHaveLength(1)
    expect(upwardImports([{ from: 'src/store/a.ts', to: 'src/utils/b.ts' }])).toHaveLength(1)
    expect(upwardImports([{ from: 'src/utils/b.ts', to: 'src/bytes/a.ts' }])).toHaveLength(1)
  })

  it('is welcome when it goes down or stays at home', () => {
    const welcome = [
      { from: 'src/store/a.ts', to: 'src/store/deeper/b.ts' },
      { from: 'src/store/a.ts', to: 'src/bytes/b.ts' },
      { from: 'src/index.ts', to: 'src/store/a.ts' },
      { from: 'src/level.ts', to: 'src/faces/a.ts' },
      { from: 'tools/kv-cli/a.ts', to: 'src/index.ts' },
    ]
    expect(upwardImports(welcome)).toEqual([])
  })

  it('is refused when it closes a circle, types included', () => {
    const a = importsOf('src/log/a.ts', "import { b } from './b.js'")
    const b = importsOf('src/log/b.ts', "import type { C } from './c.js'")
    const c = importsOf('src/log/c.ts', "import type { A } from './a.js'")
    expect(circles([...a, ...b, ...c])).toEqual(['src/log/a.ts -> src/log/b.ts -> src/log/c.ts -> src/log/a.ts'])
    expect(circles([...a, ...b])).toEqual([])
    expect(circles([{ from: 'src/log/a.ts', to: 'src/log/a.ts' }])).toHaveLength(1)
  })
})
