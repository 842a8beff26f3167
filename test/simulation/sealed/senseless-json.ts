import type { SeededRandom } from '../seeded-random.js'

type Json = unknown

const DEEP = `${'['.repeat(200)}${']'.repeat(200)}`

/** What may stand where something else should. */
function nonsense(random: SeededRandom): Json {
  return random.pick<Json>([
    null,
    true,
    0,
    -1,
    1.5,
    1e300,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53,
    '',
    'x'.repeat(70_000),
    '__proto__',
    'AAAA',
    'zstd-9',
    [],
    {},
    [null],
    [[1, 2, 3]],
    { length: 2 ** 32 },
    JSON.parse(DEEP),
  ])
}

/** The same JSON with something else somewhere in it. */
export function senselessJson(random: SeededRandom, json: Json): Json {
  const copy = structuredClone(json)
  if (random.chance(0.03)) return nonsense(random)
  const places: { holder: Record<string, Json>; name: string }[] = []
  const collect = (value: Json): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [name, each] of Object.entries(value)) {
      places.push({ holder: value as Record<string, Json>, name })
      collect(each)
    }
  }
  collect(copy)
  if (places.length === 0) return nonsense(random)
  const { holder, name } = random.pick(places)
  const value = holder[name]
  const choice = random.below(10)
  if (choice === 0) delete holder[name]
  else if (choice === 1 && typeof value === 'number') holder[name] = value + random.pick([-1, 1, 1000, -1000])
  else if (choice === 2 && typeof value === 'string') holder[name] = value.slice(0, random.below(value.length + 1))
  else if (choice === 3 && Array.isArray(value)) holder[name] = [...value, ...value]
  else if (choice === 4) {
    const other = random.pick(places)
    holder[name] = structuredClone(other.holder[other.name])
  } else holder[name] = nonsense(random)
  return copy
}

/** Bytes in which a few are something else, or missing, or too many. `keepsLength`: no more and no fewer. */
export function senselessBytes(random: SeededRandom, bytes: Uint8Array, keepsLength: boolean): Uint8Array {
  let copy: Uint8Array = bytes.slice()
  if (copy.length === 0) return keepsLength ? copy : random.bytes(random.between(1, 20))
  for (let left = random.between(1, 3); left > 0; left--) {
    const at = random.chance(0.5)
      ? random.below(copy.length)
      : random.chance(0.5)
        ? random.below(Math.min(copy.length, 40))
        : Math.max(0, copy.length - 1 - random.below(40))
    const choice = random.below(keepsLength ? 4 : 7)
    if (choice === 0) copy[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, 0xfe])
    else if (choice === 1) copy[at]! ^= 1 << random.below(8)
    else if (choice === 2) copy.fill(random.pick([0, 0xff, 0x80]), at, Math.min(copy.length, at + random.between(1, 9)))
    else if (choice === 3) copy.set(random.bytes(Math.min(4, copy.length - at)), at)
    else if (choice === 4) copy = Buffer.concat([copy.subarray(0, at), copy.subarray(at + random.between(1, 8))])
    else if (choice === 5)
      copy = Buffer.concat([copy.subarray(0, at), random.bytes(random.between(1, 8)), copy.subarray(at)])
    else copy = copy.slice(0, at)
  }
  return new Uint8Array(copy)
}
