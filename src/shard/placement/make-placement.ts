import { invalid } from '../../bytes/errors.js'
import { describe } from '../../store/encoding.js'
import { Directory } from './directory.js'
import { Jump } from './jump.js'
import type { Placement, PlacementName, PlacementState } from './placement.js'
import { Range } from './range.js'
import { Rendezvous } from './rendezvous.js'
import { Ring } from './ring.js'
import { Slots } from './slots.js'

/** What strategies take besides their shards. */
export interface PlacementOptions {
  seed?: number
  vnodes?: number
  splits?: readonly (string | Uint8Array)[]
}

const makers: Record<PlacementName, (options: PlacementOptions) => Placement> = {
  ring: (options) => new Ring(options),
  slots: (options) => new Slots(options),
  rendezvous: (options) => new Rendezvous(options),
  jump: (options) => new Jump(options),
  range: (options) => new Range(options),
  directory: (options) => new Directory(options),
}

/** An empty placement of a kind. */
export function makePlacement(kind: PlacementName, options: PlacementOptions = {}): Placement {
  if (!Object.hasOwn(makers, kind)) {
    throw invalid(`Placement must be one of '${Object.keys(makers).join("', '")}', not ${describe(kind)}`)
  }
  return makers[kind](options)
}

/** The placement that was written down. */
export function restorePlacement(state: PlacementState): Placement {
  const { kind, seed, shards, details } = state
  if (kind === 'slots') return Slots.restore(seed, shards, details)
  if (kind === 'range') return Range.restore(seed, shards, details)
  if (kind === 'directory') return Directory.restore(seed, shards, details)
  const placement = makePlacement(kind, { seed, ...(kind === 'ring' ? { vnodes: details['vnodes'] as number } : {}) })
  for (const { name, weight } of shards) placement.add(name, { weight })
  return placement
}
