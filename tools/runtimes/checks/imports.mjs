// Every entry of the package, as ES modules.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

const manifest = JSON.parse(readFileSync(new URL('node_modules/siltstone/package.json', import.meta.url), 'utf8'))
const doors = Object.keys(manifest.exports).filter((door) => door !== './package.json')
assert.ok(doors.length >= 5)
for (const door of doors) {
  const names = Object.keys(await import(door.replace('.', 'siltstone')))
  assert.notEqual(names.length, 0, door)
}
