// Flushes and compactions in a worker thread, under every compression that there is.
import assert from 'node:assert/strict'
import { open } from 'siltstone'

for (const compression of ['none', 'lz4', 'deflate', 'zstd']) {
  let db
  try {
    db = await open(`./compaction-${compression}`, { writeBufferBytes: 65536, compression })
  } catch (error) {
    // Not every runtime has it; a store says so when it is opened.
    assert.equal(`${compression} ${error.code}`, 'zstd SILT_NOT_SUPPORTED')
    continue
  }
  for (let i = 0; i < 3000; i++) await db.put(String(i % 1500).padStart(6, '0'), `${i} ${'x'.repeat(100)}`)
  await db.compact()
  const { compactions, flushes, backgroundError, files } = db.stats()
  assert.equal(backgroundError, undefined)
  assert.ok(flushes.count > 0 && compactions.count > 0 && files > 0)
  assert.equal(await db.count(), 1500)
  assert.equal((await db.get('000007')).split(' ')[0], '1507')
  const { ok, findings } = await db.verify()
  assert.ok(ok, JSON.stringify(findings))
  await db.checkpoint(`./copy-${compression}`)
  await db.close()
  const copy = await open(`./copy-${compression}`)
  assert.equal(await copy.count(), 1500)
  await copy.close()
}
