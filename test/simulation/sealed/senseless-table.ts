import { putU32 } from '../../../src/bytes/integers.js'
import { ENVELOPE_BYTES, envelopeRawBytes, openEnvelope, sealEnvelope } from '../../../src/table/envelope.js'
import { type BlockHandle, decodeFooter, encodeFooter, FOOTER_BYTES, type Footer } from '../../../src/table/footer.js'
import { IndexNode } from '../../../src/table/index-node.js'
import type { SeededRandom } from '../seeded-random.js'
import { senselessBytes, senselessJson } from './senseless-json.js'

const WIDE = [0, 1, 8, 9, 10, 72, 2 ** 16, 2 ** 31, 2 ** 32 - 1]
const TAIL = ['filter', 'rangeTombstones', 'topIndex', 'properties'] as const

/**
 * A table of which one part says something else, under checksums that are right. Requires: it is not compressed, so that blocks keep
 * their lengths; those behind the last partition are moved where theirs change.
 */
export function senselessTable(random: SeededRandom, bytes: Uint8Array, number: number): Uint8Array {
  const footer = decodeFooter(bytes, bytes.length, number, '')
  const choice = random.below(10)
  if (choice === 0) return withFooter(bytes, senselessFooter(random, footer))
  if (choice <= 4) return senselessTail(random, bytes, footer, number)
  const handle = random.pick(placesIn(bytes, footer, number))
  const copy = bytes.slice()
  const { offset } = handle
  const end = offset + handle.bytes
  const payloadEnd = end - ENVELOPE_BYTES
  if (choice === 5) {
    const raw = random.chance(0.5) ? random.pick(WIDE) : payloadEnd - offset
    sealEnvelope(copy, offset, payloadEnd, raw, random.pick([0, 1, 2, 3, 4, 255]), number, offset)
    return copy
  }
  const block = copy.slice(offset, payloadEnd)
  const changed = choice === 6 ? restartsOf(random, block) : senselessBytes(random, block, true)
  copy.set(changed, offset)
  sealEnvelope(copy, offset, payloadEnd, changed.length, 0, number, offset)
  return copy
}

/** What stands at the end of a block: restart offsets, base position and how many restarts there are. */
function restartsOf(random: SeededRandom, block: Uint8Array): Uint8Array {
  const at = Math.max(0, block.length - 4 * random.between(1, 8))
  putU32(block, at, random.pick([...WIDE, block.length]))
  return block.slice(0, block.length)
}

/** Data blocks and partitions. */
function placesIn(bytes: Uint8Array, footer: Footer, number: number): BlockHandle[] {
  const top = nodeAt(bytes, footer.topIndex, number)
  const places: BlockHandle[] = []
  for (let p = 0; p < top.count; p++) {
    const partition = { offset: top.childOffset(p), bytes: top.childBytes(p) }
    places.push(partition)
    const node = nodeAt(bytes, partition, number)
    for (let b = 0; b < node.count; b++) places.push({ offset: node.childOffset(b), bytes: node.childBytes(b) })
  }
  if (footer.filter.bytes > 0) places.push(footer.filter)
  return places
}

function nodeAt(bytes: Uint8Array, handle: BlockHandle, number: number): IndexNode {
  const raw = rawOf(bytes, handle, number)
  return IndexNode.decode(raw, raw.length, bytes.length)
}

function rawOf(bytes: Uint8Array, { offset, bytes: length }: BlockHandle, number: number): Uint8Array {
  const raw = openEnvelope(bytes, offset, offset + length, number, offset, '', false)
  return raw.slice(0, envelopeRawBytes(bytes, offset + length))
}

function senselessTail(random: SeededRandom, bytes: Uint8Array, footer: Footer, number: number): Uint8Array {
  const present = TAIL.filter((name) => footer[name].bytes > 0)
  const changed = random.pick(present)
  const start = Math.min(...present.map((name) => footer[name].offset))
  const parts: Uint8Array[] = [bytes.slice(0, start)]
  let offset = start
  const handles: Record<string, BlockHandle> = {}
  for (const name of TAIL) {
    if (footer[name].bytes === 0) {
      handles[name] = footer[name]
      continue
    }
    let raw = rawOf(bytes, footer[name], number)
    if (name === changed) {
      raw =
        name === 'properties' && random.chance(0.9)
          ? new TextEncoder().encode(
              JSON.stringify(senselessJson(random, JSON.parse(Buffer.from(raw).toString()))) ?? '',
            )
          : senselessBytes(random, raw, false)
    }
    const sealed = new Uint8Array(raw.length + ENVELOPE_BYTES)
    sealed.set(raw)
    sealEnvelope(sealed, 0, raw.length, raw.length, 0, number, offset)
    handles[name] = { offset, bytes: sealed.length }
    parts.push(sealed)
    offset += sealed.length
  }
  return new Uint8Array(
    Buffer.concat([...parts, encodeFooter({ ...(handles as unknown as Footer), fileNumber: number })]),
  )
}

function senselessFooter(random: SeededRandom, footer: Footer): Footer {
  const name = random.pick(TAIL)
  const other = footer[random.pick(TAIL)]
  const { offset, bytes } = footer[name]
  const handle = random.pick<BlockHandle>([
    other,
    { offset, bytes: random.pick(WIDE) },
    { offset: random.pick([...WIDE, 2 ** 40, 2 ** 53]), bytes },
    { offset: offset + 1, bytes: bytes - 1 },
    { offset, bytes: bytes + 1 },
  ])
  return {
    ...footer,
    [name]: handle,
    fileNumber: random.chance(0.1) ? random.pick([0, 2 ** 32, 2 ** 53]) : footer.fileNumber,
  }
}

function withFooter(bytes: Uint8Array, footer: Footer): Uint8Array {
  const copy = bytes.slice()
  copy.set(encodeFooter(footer), copy.length - FOOTER_BYTES)
  return copy
}
