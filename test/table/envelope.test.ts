import { expect, test } from 'vitest'
import { compressionNamed } from '../../src/bytes/compression.js'
import { loadHash } from '../../src/bytes/hash.js'
import { ENVELOPE_BYTES, openEnvelope, sealEnvelope } from '../../src/table/envelope.js'

/** A block of zeros in its envelope, as it stands in file 7 at offset 0. */
async function sealed(rawBytes: number): Promise<Uint8Array> {
  await loadHash()
  const payload = compressionNamed('lz4').compress(new Uint8Array(rawBytes), 0, rawBytes)!
  const bytes = new Uint8Array(payload.length + ENVELOPE_BYTES)
  bytes.set(payload)
  sealEnvelope(bytes, 0, payload.length, rawBytes, 1, 7, 0)
  return bytes
}

test('that there is no memory for a block is not taken for damage', async () => {
  const bytes = await sealed(1000)
  const without = (): never => {
    throw new RangeError('Array buffer allocation failed')
  }
  expect(() => openEnvelope(bytes, 0, bytes.length, 7, 0, 'file', false, without)).toThrow(RangeError)
  expect(openEnvelope(bytes, 0, bytes.length, 7, 0, 'file', false).length).toBe(1000)
})
