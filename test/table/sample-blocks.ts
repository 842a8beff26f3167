import { compareBytes, sharedPrefixLength } from '../../src/bytes/compare.js'
import { KIND_DELETE, KIND_PUT, KIND_PUT_EXPIRING } from '../../src/log/operation.js'
import { BlockWriter, DataBlock } from '../../src/table/block.js'
import type { SeededRandom } from './random.js'

/** Makes the key of a number. */
export type Shape = (random: SeededRandom, i: number) => Uint8Array

export const SHAPES: Record<string, Shape> = {
  'digits behind a long prefix': (_, i) => Buffer.from(`tenant:7/user/${String(i * 37).padStart(12, '0')}`),
  'random bytes': (random) => random.bytes(16),
  'short keys, the empty one among them': (random) => random.bytes(random.integer(0, 3)),
  'keys that go on where others end': (_, i) => Buffer.alloc(i % 40, 'a'),
  'bytes above 127 and zeros': (random) => Uint8Array.from({ length: 6 }, () => random.pick([0, 1, 127, 128, 255])),
}

/** A block of distinct keys in order, each with one version, or some with several. */
export function blockOf(
  random: SeededRandom,
  shape: Shape,
  count: number,
  versions: boolean,
): { block: DataBlock; keys: Uint8Array[] } {
  const distinct = new Map<string, Uint8Array>()
  for (let i = 0; i < count; i++) {
    const key = shape(random, i)
    distinct.set(Buffer.from(key).toString('hex'), key)
  }
  const keys = [...distinct.values()].sort((a, b) => compareBytes(a, 0, a.length, b, 0, b.length))
  const writer = new BlockWriter(4096, random.integer(1, 20))
  let previous = new Uint8Array(0)
  for (const key of keys) {
    const shared = sharedPrefixLength(key, 0, key.length, previous, 0, previous.length)
    let position = random.integer(1_000, 1_000_000_000_000)
    const copies = versions ? random.integer(1, 3) : 1
    for (let copy = 0; copy < copies; copy++) {
      const kind = random.pick([KIND_PUT, KIND_PUT, KIND_DELETE, KIND_PUT_EXPIRING])
      const value = kind === KIND_DELETE ? new Uint8Array(0) : someValue(random)
      const expiresAt = kind === KIND_PUT_EXPIRING ? random.integer(1, 2 ** 45) : 0
      const isAgain = copy > 0
      writer.add(
        key,
        0,
        key.length,
        isAgain ? key.length : shared,
        isAgain,
        kind,
        position,
        expiresAt,
        value,
        0,
        value.length,
      )
      position -= random.integer(1, 300)
    }
    previous = Uint8Array.from(key)
  }
  const end = writer.finish()
  return { block: DataBlock.of(writer.bytes.slice(0, end), end), keys }
}

/** Some compress to nothing, some to half, some not at all. */
function someValue(random: SeededRandom): Uint8Array {
  const half = random.bytes(random.integer(0, 100))
  return random.pick([half, Uint8Array.from([...half, ...half]), new Uint8Array(half.length * 2)])
}
