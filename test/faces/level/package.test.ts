import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

describe('siltstone/level', () => {
  it('is there for whoever imports the package, with its types', () => {
    const program = `
      import { AbstractLevel } from 'abstract-level'
      import { SiltstoneLevel } from 'siltstone/level'
      const db = new SiltstoneLevel(':memory:')
      await db.put('hello', 'world')
      console.log(await db.get('hello'), db instanceof AbstractLevel)`
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd: root })
    expect(output.toString()).toBe('world true\n')
    const { types } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).exports['./level']
    expect(existsSync(join(root, types))).toBe(true)
  })
})
