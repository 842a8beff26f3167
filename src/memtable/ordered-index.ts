import { compareBytes, sharedPrefixLength } from '../bytes/compare.js'
import { operationEnd, operationKeyLength, operationKeyStart } from '../log/operation.js'

/*
 * A B+tree over operations that already stand in a log segment: it holds no keys, only where they are.
 *
 * An entry of a node is a reference (the operation's offset in the segment) and a head: the four key bytes that follow the
 * prefix which all keys of the node share, as one integer. Nearly every comparison of a search is one comparison of integers;
 * only equal heads look at the bytes.
 *
 * A leaf is 512 bytes in one piece: what is asked of every node, and behind it the columns that a search goes through.
 *
 *   word 0       1               2           3               4 .. 7            8 .. 67    68 .. 127
 *   +------------+---------------+-----------+---------------+-----------------+----------+------------+
 *   | count      | prefix length | next leaf | previous leaf | first 16 bytes  | heads    | references |
 *   |            |               |           |               | of the prefix   |          |            |
 *   +------------+---------------+-----------+---------------+-----------------+----------+------------+
 *
 * The prefix stands here although every key begins with it, because a key in the segment is a miss of the processor's cache
 * away: 0.1 us, which is a third of an insert. An inner node takes four such slots and has a third column, its children. Its heads
 * and references are those of the separators; entry 0 stands for "before everything", has none, and is not compared.
 *
 * Order: by key, and within a key newest first. A later operation has a greater offset, so "newest first" is "greatest
 * reference first", and the one way in which a version can come is before all others of its key.
 *
 * Everything lives in a SharedArrayBuffer, so that another thread reads a sealed index without a copy.
 */

const NODE_BITS = 7
const NODE_WORDS = 1 << NODE_BITS
const NODE_BYTES = NODE_WORDS * 4
/** What a leaf holds at most. */
const LEAF = 60
/** And an inner node. So 200,000 entries stand under two levels of them; with half as many to a node they took three. */
const INNER = 168
const INNER_SLOTS = 4
const COUNT = 0
const PREFIX = 1
const NEXT = 2
const PREVIOUS = 3
const PREFIX_BYTES_AT = 16
const PREFIX_BYTES = 16
const HEADS = 8
const REFERENCES = HEADS + LEAF
const CHILDREN = HEADS + 2 * INNER

/** Header, key and value of a small entry. */
const LOOKED_AT = 192
const LINE_BYTES = 64

const NONE = 0xffffffff
const DEEPEST = 16

/** What a thread needs to read an index. */
export interface OrderedIndexImage {
  readonly nodes: Uint32Array
  readonly root: number
  readonly depth: number
  readonly firstLeaf: number
  readonly lastLeaf: number
  readonly entryCount: number
  readonly shadowedCount: number
}

/** Up to four key bytes as an integer that orders like them; bytes past the end count as zero. */
function headOf(bytes: Uint8Array, start: number, end: number): number {
  if (start + 4 <= end) {
    return ((bytes[start]! << 24) | (bytes[start + 1]! << 16) | (bytes[start + 2]! << 8) | bytes[start + 3]!) >>> 0
  }
  let head = 0
  for (let i = 0; i < 4; i++) head = (head << 8) | (start + i < end ? bytes[start + i]! : 0)
  return head >>> 0
}

function nodesOf(count: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(count * NODE_BYTES))
}

export class OrderedIndex {
  /** Counts inserts, so that a walk notices that its place may have moved. */
  modifications = 0
  entryCount = 0
  /** Entries that a newer one of the same key stands before. */
  shadowedCount = 0
  firstLeaf = 0
  lastLeaf = 0

  readonly bytes: Uint8Array
  private nodes: Uint32Array
  /** The same memory. */
  private nodeBytes: Uint8Array
  private slots = 1
  private root = 0
  /** Inner nodes above a leaf. */
  private depth = 0
  /** Whether the last insert went behind everything, as those of sequential keys do, and of every log. */
  private isAppending = true
  private readonly pathNodes = new Uint32Array(DEEPEST)
  private readonly pathSlots = new Uint32Array(DEEPEST)

  /**
   * `bytes` is the segment in which the operations stand. With an image the index is the one that was sealed; with `memory` it is a
   * new one in the memory of an old one that nobody reads any more. Most trees of a store with thousands of queues hold a handful of
   * entries, so without either it begins with one leaf.
   */
  constructor(bytes: Uint8Array, image?: OrderedIndexImage, memory?: OrderedIndexImage) {
    this.bytes = bytes
    this.nodes = image?.nodes ?? memory?.nodes ?? nodesOf(1)
    this.nodeBytes = new Uint8Array(this.nodes.buffer)
    if (image === undefined) {
      this.clearNode(0)
      return
    }
    this.slots = this.capacity
    this.root = image.root
    this.depth = image.depth
    this.firstLeaf = image.firstLeaf
    this.lastLeaf = image.lastLeaf
    this.entryCount = image.entryCount
    this.shadowedCount = image.shadowedCount
  }

  /** Requires: no insert follows. */
  image(): OrderedIndexImage {
    const { nodes, root, depth, firstLeaf, lastLeaf, entryCount, shadowedCount } = this
    return { nodes, root, depth, firstLeaf, lastLeaf, entryCount, shadowedCount }
  }

  /** Memory held by the index itself. */
  get indexBytes(): number {
    return this.nodes.byteLength
  }

  private get capacity(): number {
    return this.nodes.length >>> NODE_BITS
  }

  private clearNode(node: number): void {
    const at = node << NODE_BITS
    this.nodes[at + COUNT] = 0
    this.nodes[at + PREFIX] = 0
    this.nodes[at + NEXT] = NONE
    this.nodes[at + PREVIOUS] = NONE
  }

  private count(node: number): number {
    return this.nodes[(node << NODE_BITS) + COUNT]!
  }

  /** Of an entry in a node of that many entries at most. */
  private reference(node: number, fanout: number, slot: number): number {
    return this.nodes[(node << NODE_BITS) + HEADS + fanout + slot]!
  }

  /**
   * Adds an operation, the newest of its key. Where the key is there already and nobody needs its newest version any more
   * (its reference is not below `keepBelow`), the reference is replaced in place.
   *
   * Returns the reference that was replaced, or -1.
   */
  insert(reference: number, keepBelow: number): number {
    const { bytes } = this
    const keyStart = operationKeyStart(bytes, reference)
    const keyEnd = keyStart + operationKeyLength(bytes, reference)
    if (this.isAppending && this.append(reference, keyStart, keyEnd)) return -1

    const leaf = this.findLeaf(bytes, keyStart, keyEnd)
    const { nodes } = this
    const at = leaf << NODE_BITS
    const count = nodes[at + COUNT]!
    const order = this.comparePrefix(leaf, LEAF, bytes, keyStart, keyEnd)
    let slot = order < 0 ? 0 : count
    let head = 0
    if (order === 0) {
      const prefix = nodes[at + PREFIX]!
      head = headOf(bytes, keyStart + prefix, keyEnd)
      slot = this.searchHeads(leaf, LEAF, head, prefix, bytes, keyStart, keyEnd)
    }
    let there = -1
    if (slot === count) there = this.equalInNext(leaf, keyStart, keyEnd)
    else if (order === 0 && nodes[at + HEADS + slot] === head && this.compareAt(leaf, slot, keyStart, keyEnd) === 0) {
      there = at + REFERENCES + slot
    }
    if (there >= 0) {
      const old = nodes[there]!
      if (old >= keepBelow) {
        nodes[there] = reference
        return old
      }
      this.shadowedCount++
    }
    this.modifications++
    this.entryCount++
    this.isAppending = leaf === this.lastLeaf && slot === count
    if (count === LEAF) this.splitAndInsert(leaf, slot, reference)
    else if (order === 0 && count > 0) this.insertAt(leaf, LEAF, slot, reference, head)
    else this.insertInto(leaf, LEAF, slot, reference)
    return -1
  }

  /** Adds an operation behind everything, if that is where it belongs. */
  private append(reference: number, keyStart: number, keyEnd: number): boolean {
    const last = this.lastLeaf
    const count = this.count(last)
    if (count === 0 || this.compareAt(last, count - 1, keyStart, keyEnd) >= 0) return false
    this.modifications++
    this.entryCount++
    if (count === LEAF) {
      this.findLeaf(this.bytes, keyStart, keyEnd)
      this.splitAndInsert(last, count, reference)
    } else this.insertInto(last, LEAF, count, reference)
    return true
  }

  /** The place of the first entry of the next leaf, if it has this key; else -1. */
  private equalInNext(leaf: number, keyStart: number, keyEnd: number): number {
    const next = this.nodes[(leaf << NODE_BITS) + NEXT]!
    if (next === NONE || this.compareAt(next, 0, keyStart, keyEnd) !== 0) return -1
    return (next << NODE_BITS) + REFERENCES
  }

  /** Compares the key of an entry with a key of the same segment. */
  private compareAt(leaf: number, slot: number, keyStart: number, keyEnd: number): number {
    const bytes = this.bytes
    const reference = this.reference(leaf, LEAF, slot)
    const start = operationKeyStart(bytes, reference)
    return compareBytes(bytes, start, start + operationKeyLength(bytes, reference), bytes, keyStart, keyEnd)
  }

  /** The leaf in which the first entry at or after a key stands or would stand; remembers the way down. */
  private findLeaf(key: Uint8Array, keyStart: number, keyEnd: number): number {
    let node = this.root
    for (let level = 0; level < this.depth; level++) {
      // The last child whose separator is below the key: equal separators stay right of it, because older
      // versions of the key may stand at the end of the child before.
      const child = this.lowerBound(node, INNER, key, keyStart, keyEnd) - 1
      this.pathNodes[level] = node
      this.pathSlots[level] = child
      node = this.nodes[(node << NODE_BITS) + CHILDREN + child]!
    }
    return node
  }

  /** The first slot of a node whose key is at or after the given one. */
  private lowerBound(node: number, fanout: number, key: Uint8Array, keyStart: number, keyEnd: number): number {
    const order = this.comparePrefix(node, fanout, key, keyStart, keyEnd)
    if (order !== 0) return order < 0 ? firstOf(fanout) : this.count(node)
    const prefix = this.nodes[(node << NODE_BITS) + PREFIX]!
    const head = headOf(key, keyStart + prefix, keyEnd)
    return this.searchHeads(node, fanout, head, prefix, key, keyStart, keyEnd)
  }

  /** Whether a key has the prefix of the node (0), or comes before or behind all keys that have it. */
  private comparePrefix(node: number, fanout: number, key: Uint8Array, keyStart: number, keyEnd: number): number {
    const { nodeBytes } = this
    const prefix = this.nodes[(node << NODE_BITS) + PREFIX]!
    const limit = Math.min(prefix, keyEnd - keyStart)
    const own = node * NODE_BYTES + PREFIX_BYTES_AT
    for (let i = 0; i < limit && i < PREFIX_BYTES; i++) {
      const difference = key[keyStart + i]! - nodeBytes[own + i]!
      if (difference !== 0) return difference
    }
    if (limit > PREFIX_BYTES) {
      const { bytes } = this
      const sample = operationKeyStart(bytes, this.reference(node, fanout, firstOf(fanout)))
      for (let i = PREFIX_BYTES; i < limit; i++) {
        const difference = key[keyStart + i]! - bytes[sample + i]!
        if (difference !== 0) return difference
      }
    }
    return limit < prefix ? -1 : 0
  }

  /** The same as `lowerBound` for a key that has the prefix of the node, and behind it this head. */
  private searchHeads(
    node: number,
    fanout: number,
    head: number,
    prefix: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
  ): number {
    const { bytes, nodes } = this
    const at = node << NODE_BITS
    let low = firstOf(fanout)
    let high = nodes[at + COUNT]!
    while (low < high) {
      const middle = (low + high) >>> 1
      const there = nodes[at + HEADS + middle]!
      if (there < head) {
        low = middle + 1
      } else if (there > head) {
        high = middle
      } else {
        const reference = nodes[at + HEADS + fanout + middle]!
        const start = operationKeyStart(bytes, reference)
        const end = start + operationKeyLength(bytes, reference)
        if (compareBytes(bytes, start + prefix, end, key, keyStart + prefix, keyEnd) < 0) low = middle + 1
        else high = middle
      }
    }
    return low
  }

  /** Requires: the node is not full. */
  private insertInto(node: number, fanout: number, slot: number, reference: number): void {
    const { bytes, nodes } = this
    const at = node << NODE_BITS
    const keyStart = operationKeyStart(bytes, reference)
    const keyEnd = keyStart + operationKeyLength(bytes, reference)
    if (nodes[at + COUNT]! <= firstOf(fanout)) {
      this.insertAt(node, fanout, slot, reference, 0)
      this.rebuildHeads(node, fanout)
      return
    }
    const prefix = nodes[at + PREFIX]!
    if (this.comparePrefix(node, fanout, bytes, keyStart, keyEnd) !== 0) {
      const sample = operationKeyStart(bytes, this.reference(node, fanout, firstOf(fanout)))
      this.shortenPrefix(node, fanout, sharedPrefixLength(bytes, keyStart, keyEnd, bytes, sample, sample + prefix))
    }
    this.insertAt(node, fanout, slot, reference, headOf(bytes, keyStart + nodes[at + PREFIX]!, keyEnd))
  }

  /** Requires: the node is not full, and the head is what stands behind its prefix. */
  private insertAt(node: number, fanout: number, slot: number, reference: number, head: number): void {
    const { nodes } = this
    const at = node << NODE_BITS
    const heads = at + HEADS
    const references = heads + fanout
    const count = nodes[at + COUNT]!
    for (let i = count; i > slot; i--) nodes[heads + i] = nodes[heads + i - 1]!
    for (let i = count; i > slot; i--) nodes[references + i] = nodes[references + i - 1]!
    nodes[heads + slot] = head
    nodes[references + slot] = reference
    nodes[at + COUNT] = count + 1
  }

  /** A key is coming that has only so much of the prefix: what the heads begin with from now on is the end of the old prefix. */
  private shortenPrefix(node: number, fanout: number, length: number): void {
    const { bytes, nodes } = this
    const at = node << NODE_BITS
    const prefix = nodes[at + PREFIX]!
    const sample = operationKeyStart(bytes, this.reference(node, fanout, firstOf(fanout)))
    const beginning = headOf(bytes, sample + length, sample + prefix)
    const dropped = prefix - length
    const end = at + HEADS + nodes[at + COUNT]!
    for (let i = at + HEADS + firstOf(fanout); i < end; i++) {
      nodes[i] = dropped < 4 ? beginning | (nodes[i]! >>> (dropped * 8)) : beginning
    }
    nodes[at + PREFIX] = length
  }

  /** Finds the prefix that the keys of a node share, first and last deciding for all, and the heads behind it. */
  private rebuildHeads(node: number, fanout: number): void {
    const { bytes, nodes, nodeBytes } = this
    const first = firstOf(fanout)
    const at = node << NODE_BITS
    const count = nodes[at + COUNT]!
    if (count <= first) {
      nodes[at + PREFIX] = 0
      return
    }
    const references = at + HEADS + fanout
    const low = operationKeyStart(bytes, nodes[references + first]!)
    const lowEnd = low + operationKeyLength(bytes, nodes[references + first]!)
    const high = operationKeyStart(bytes, nodes[references + count - 1]!)
    const highEnd = high + operationKeyLength(bytes, nodes[references + count - 1]!)
    const prefix = sharedPrefixLength(bytes, low, lowEnd, bytes, high, highEnd)
    nodes[at + PREFIX] = prefix
    const own = node * NODE_BYTES + PREFIX_BYTES_AT
    for (let i = 0; i < prefix && i < PREFIX_BYTES; i++) nodeBytes[own + i] = bytes[low + i]!
    for (let i = first; i < count; i++) {
      const reference = nodes[references + i]!
      const start = operationKeyStart(bytes, reference)
      nodes[at + HEADS + i] = headOf(bytes, start + prefix, start + operationKeyLength(bytes, reference))
    }
  }

  /** After a split: keys that begin with the same byte behind the prefix share more than they did. */
  private lengthenPrefix(node: number, fanout: number): void {
    const { nodes } = this
    const first = firstOf(fanout)
    const at = node << NODE_BITS
    const count = nodes[at + COUNT]!
    const isSame = count > first && (nodes[at + HEADS + first]! ^ nodes[at + HEADS + count - 1]!) >>> 24 === 0
    if (isSame) this.rebuildHeads(node, fanout)
  }

  private splitAndInsert(leaf: number, slot: number, reference: number): void {
    const right = this.takeSlots(1)
    const { nodes } = this
    const next = nodes[(leaf << NODE_BITS) + NEXT]!
    nodes[(leaf << NODE_BITS) + NEXT] = right
    nodes[(right << NODE_BITS) + PREVIOUS] = leaf
    nodes[(right << NODE_BITS) + NEXT] = next
    if (next === NONE) this.lastLeaf = right
    else nodes[(next << NODE_BITS) + PREVIOUS] = right
    // Sequential keys leave full leaves behind instead of half-empty ones.
    const kept = next === NONE && slot === LEAF ? LEAF : LEAF / 2
    this.moveTail(leaf, right, LEAF, kept)
    this.lengthenPrefix(leaf, LEAF)
    this.lengthenPrefix(right, LEAF)
    if (slot > kept || kept === LEAF) this.insertInto(right, LEAF, slot - kept, reference)
    else this.insertInto(leaf, LEAF, slot, reference)
    this.insertSeparator(this.depth - 1, this.reference(right, LEAF, 0), right)
  }

  /** Moves the entries from `kept` on, with their heads, to an empty node. */
  private moveTail(from: number, to: number, fanout: number, kept: number): void {
    const { nodes } = this
    const [source, target] = [from << NODE_BITS, to << NODE_BITS]
    const moved = nodes[source + COUNT]! - kept
    nodes.copyWithin(target + PREFIX_BYTES_AT / 4, source + PREFIX_BYTES_AT / 4, source + HEADS)
    nodes.copyWithin(target + HEADS, source + HEADS + kept, source + HEADS + kept + moved)
    const references = source + HEADS + fanout + kept
    nodes.copyWithin(target + HEADS + fanout, references, references + moved)
    nodes[target + PREFIX] = nodes[source + PREFIX]!
    nodes[source + COUNT] = kept
    nodes[target + COUNT] = moved
  }

  /** Hangs a new right sibling into the parent at `level` of the remembered way, splitting upwards as needed. */
  private insertSeparator(level: number, separator: number, child: number): void {
    if (level < 0) {
      this.growRoot(separator, child)
      return
    }
    const node = this.pathNodes[level]!
    const slot = this.pathSlots[level]! + 1
    if (this.count(node) < INNER) {
      this.insertChild(node, slot, separator, child)
      return
    }
    const right = this.takeSlots(INNER_SLOTS)
    const kept = slot === INNER ? INNER - 1 : INNER / 2
    const children = (node << NODE_BITS) + CHILDREN
    this.nodes.copyWithin((right << NODE_BITS) + CHILDREN, children + kept, children + INNER)
    this.moveTail(node, right, INNER, kept)
    const middle = this.reference(right, INNER, 0)
    this.lengthenPrefix(node, INNER)
    this.lengthenPrefix(right, INNER)
    if (slot > kept) this.insertChild(right, slot - kept, separator, child)
    else this.insertChild(node, slot, separator, child)
    this.insertSeparator(level - 1, middle, right)
  }

  private insertChild(node: number, slot: number, separator: number, child: number): void {
    const children = (node << NODE_BITS) + CHILDREN
    this.nodes.copyWithin(children + slot + 1, children + slot, children + this.count(node))
    this.nodes[children + slot] = child
    this.insertInto(node, INNER, slot, separator)
  }

  private growRoot(separator: number, right: number): void {
    const left = this.root
    const root = this.takeSlots(INNER_SLOTS)
    const { nodes } = this
    const at = root << NODE_BITS
    nodes[at + CHILDREN] = left
    nodes[at + CHILDREN + 1] = right
    nodes[at + HEADS + INNER] = separator
    nodes[at + HEADS + INNER + 1] = separator
    nodes[at + COUNT] = 2
    this.rebuildHeads(root, INNER)
    this.root = root
    this.depth++
  }

  private takeSlots(count: number): number {
    const taken = this.slots
    this.slots += count
    if (this.slots > this.capacity) {
      const grown = nodesOf(Math.max(4, this.capacity * 2))
      grown.set(this.nodes)
      this.nodes = grown
      this.nodeBytes = new Uint8Array(grown.buffer)
    }
    for (let slot = taken; slot < this.slots; slot++) this.clearNode(slot)
    return taken
  }

  // Walking. A place is where the reference of an entry stands in `nodes`, or -1 behind either end.

  /** The place of the first entry whose key is at or after the given one. */
  placeAtOrAfter(key: Uint8Array, keyStart: number, keyEnd: number): number {
    const leaf = this.findLeaf(key, keyStart, keyEnd)
    return this.settle(leaf, this.lowerBound(leaf, LEAF, key, keyStart, keyEnd))
  }

  placeOfFirst(): number {
    return this.settle(this.firstLeaf, 0)
  }

  placeOfLast(): number {
    const count = this.count(this.lastLeaf)
    return count === 0 ? -1 : (this.lastLeaf << NODE_BITS) + REFERENCES + count - 1
  }

  placeAfter(place: number): number {
    return this.settle(place >>> NODE_BITS, slotOf(place) + 1)
  }

  placeBefore(place: number): number {
    if (slotOf(place) > 0) return place - 1
    const previous = this.nodes[place - REFERENCES + PREVIOUS]!
    return previous === NONE ? -1 : (previous << NODE_BITS) + REFERENCES + this.count(previous) - 1
  }

  /** Invariant: only the one leaf of an empty index is empty, so one step to the right is enough. */
  private settle(leaf: number, slot: number): number {
    const at = leaf << NODE_BITS
    if (slot < this.nodes[at + COUNT]!) return at + REFERENCES + slot
    const next = this.nodes[at + NEXT]!
    return next === NONE ? -1 : (next << NODE_BITS) + REFERENCES
  }

  referenceAt(place: number): number {
    return this.nodes[place]!
  }

  /** Whether the entry is the first of its leaf. */
  beginsLeaf(place: number): boolean {
    return slotOf(place) === 0
  }

  /**
   * Reads a byte of every line of the first LOOKED_AT bytes of every operation of a leaf. They stand anywhere in the segment, and
   * reads that do not depend on one another miss the processor's cache together, where a walk would miss it once for each.
   */
  fetchLeaf(place: number): number {
    const { bytes, nodes } = this
    const last = bytes.length - 1
    const at = (place >>> NODE_BITS) << NODE_BITS
    let sum = 0
    for (let i = at + REFERENCES, end = i + nodes[at + COUNT]!; i < end; i++) {
      const reference = nodes[i]!
      for (let line = 0; line < LOOKED_AT; line += LINE_BYTES) sum += bytes[Math.min(last, reference + line)]!
    }
    return sum
  }

  /**
   * About how many bytes of operations stand from one key up to another: counted in the leaves at the edges, and in those
   * between as if all of a leaf's were like its first. A full segment of small entries takes 0.1 ms.
   */
  approximateBytes(start: Uint8Array, end: Uint8Array | undefined): number {
    const from = this.placeAtOrAfter(start, 0, start.length)
    const to = end === undefined ? -1 : this.placeAtOrAfter(end, 0, end.length)
    if (from === to) return 0
    const firstLeaf = from >>> NODE_BITS
    const lastLeaf = to < 0 ? this.lastLeaf : to >>> NODE_BITS
    const lastCount = to < 0 ? this.count(lastLeaf) : slotOf(to)
    if (firstLeaf === lastLeaf) return this.bytesOf(from, lastCount - slotOf(from))
    let bytes = this.bytesOf(from, this.count(firstLeaf) - slotOf(from))
    for (let leaf = this.following(firstLeaf); leaf !== lastLeaf; leaf = this.following(leaf)) {
      bytes += this.bytesOf((leaf << NODE_BITS) + REFERENCES, 1) * this.count(leaf)
    }
    return bytes + this.bytesOf((lastLeaf << NODE_BITS) + REFERENCES, lastCount)
  }

  private following(leaf: number): number {
    return this.nodes[(leaf << NODE_BITS) + NEXT]!
  }

  /** Of so many operations of one leaf. */
  private bytesOf(place: number, count: number): number {
    let bytes = 0
    for (const end = place + count; place < end; place++) {
      const reference = this.nodes[place]!
      bytes += operationEnd(this.bytes, reference) - reference
    }
    return bytes
  }

  /** Whether two neighbouring places hold versions of one key. */
  sameKey(left: number, right: number): boolean {
    if (this.shadowedCount === 0) return false
    const sameLeaf = left >>> NODE_BITS === right >>> NODE_BITS
    if (sameLeaf && this.nodes[left - LEAF] !== this.nodes[right - LEAF]) return false
    const bytes = this.bytes
    const start = operationKeyStart(bytes, this.nodes[right]!)
    const end = start + operationKeyLength(bytes, this.nodes[right]!)
    return this.compareAt(left >>> NODE_BITS, slotOf(left), start, end) === 0
  }
}

/** The first slot with a key in a node of that many entries at most. */
function firstOf(fanout: number): number {
  return fanout === LEAF ? 0 : 1
}

function slotOf(place: number): number {
  return (place & (NODE_WORDS - 1)) - REFERENCES
}
