import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { compressionNamed } from '../../src/bytes/compression.js'
import { lz4Decompress } from '../../src/bytes/lz4.js'
import { workspaceFor } from '../../src/bytes/workspace.js'

test('the WebAssembly that is kept is what its source makes', { timeout: 0 }, () => {
  const { status, stderr } = spawnSync(process.execPath, ['tools/build-assembly.mjs', '--check'], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(status).toBe(0)
})

test('blocks larger than usual are compressed and read in a workspace of their own', () => {
  const lz4 = compressionNamed('lz4')
  const { capacity } = workspaceFor(1)
  for (const length of [capacity - 1, capacity, capacity + 1, capacity * 3]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i % 97) * (i % 13))
    const compressed = lz4.compress(bytes, 0, length)!.slice()
    expect(compressed.length).toBeLessThan(length / 2)
    expect(Buffer.compare(lz4.decompress(compressed, 0, compressed.length, length), bytes)).toBe(0)
  }
  expect(workspaceFor(1).capacity).toBe(capacity)
})

test('nothing outside of what a block decompresses to is written', () => {
  const lz4 = compressionNamed('lz4')
  const { outputBytes } = workspaceFor(1)
  for (let length = 1; length < 300; length++) {
    const bytes = Uint8Array.from({ length: length + 64 }, (_, i) => (i < 20 ? i : 7))
    const compressed = lz4.compress(bytes, 0, bytes.length)!.slice()
    outputBytes.fill(0xee, 0, 1000)
    lz4Decompress(compressed, 0, compressed.length, outputBytes, bytes.length)
    expect(Buffer.compare(outputBytes.subarray(0, bytes.length), bytes)).toBe(0)
    expect(outputBytes.subarray(bytes.length, bytes.length + 100).every((byte) => byte === 0xee)).toBe(true)
  }
})
