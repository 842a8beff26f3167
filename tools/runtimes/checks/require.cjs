// Every entry of the package, as CommonJS.
const assert = require('node:assert/strict')

const manifest = require('siltstone/package.json')
for (const door of Object.keys(manifest.exports).filter((each) => each !== './package.json')) {
  assert.notEqual(Object.keys(require(door.replace('.', 'siltstone'))).length, 0, door)
}

const { open } = require('siltstone')

async function main() {
  const db = await open('./required')
  await db.put('a', '1')
  assert.equal(await db.get('a'), '1')
  await db.close()
}

main()
