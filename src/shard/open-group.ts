import { randomUUID } from 'node:crypto'
import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { FileSystem } from '../fs/file-system.js'
import { CURRENT, holdsStoreData } from '../tree/file-names.js'
import { MailRoutes } from './mail-routes.js'
import { read } from './mover.js'
import { destroyPlace, type OpenedShard, openPlace, settleMark } from './open-shard.js'
import { Ownership } from './ownership.js'
import { type Layout, OWNERSHIP_FOLDER, OwnershipDirectory, type ShardPlace } from './ownership-directory.js'
import { hashText } from './placement/base-placement.js'
import { makePlacement, restorePlacement } from './placement/make-placement.js'
import type { Placement } from './placement/placement.js'
import { Range } from './placement/range.js'
import { Rebalancer } from './rebalancer.js'
import type { Shard } from './shard.js'
import { ShardGroup } from './shard-group.js'
import { resolveSpecs, type ShardingOptions, type ShardSpec } from './shard-options.js'
import type { ShardStoreOptions } from './shard-store-options.js'

/** A sharded store below keys and values of the user's own. */
export interface OpenedGroup {
  readonly group: ShardGroup
  readonly directory: OwnershipDirectory
  readonly rebalancer: Rebalancer
}

export interface GroupSettings {
  readonly createIfMissing: boolean
  readonly errorIfExists: boolean
  readonly bytesPerSecond: number
  /** Of the placement's hashes; differs inside shards, or keys would be dealt out there as they were outside. */
  readonly seed: number
  readonly store: ShardStoreOptions
  /** Whether each shard lives in a worker thread. */
  readonly threads: boolean
}

/**
 * Opens a sharded store: its directory, which also locks it; then every shard, held to its mark; then, if keys were moving, the
 * move goes on.
 */
export async function openGroup(
  fs: FileSystem,
  path: string,
  sharding: ShardingOptions,
  settings: GroupSettings,
): Promise<OpenedGroup> {
  const isThere = fs.statusSync(`${path}/${OWNERSHIP_FOLDER}`) !== undefined
  checkPath(fs, path, isThere, settings)
  const specs = sharding.shards === undefined ? undefined : resolveSpecs(sharding.shards, fs)
  // Refused before anything is touched on disk.
  const fresh = isThere ? undefined : freshPlacement(specs, sharding, settings.seed)
  const directory = await OwnershipDirectory.open(fs, path, settings.createIfMissing)
  const opened = new Map<string, OpenedShard>()
  try {
    let layout = directory.layout()
    if (layout === undefined) {
      layout = freshLayout(fresh ?? freshPlacement(specs, sharding, settings.seed), specs!)
      await directory.putLayout(layout)
    } else checkSharding(layout, directory, specs, sharding)
    return await assemble(fs, path, directory, layout, settings, opened)
  } catch (error) {
    for (const { shard } of opened.values()) await shard.close().catch(() => {})
    await directory.close()
    throw error
  }
}

function checkPath(fs: FileSystem, path: string, isThere: boolean, settings: GroupSettings): void {
  if (isThere && settings.errorIfExists) {
    throw new SiltstoneError(
      'SILT_EXISTS',
      `There is a sharded store in ${path} already, and errorIfExists was asked for`,
    )
  }
  if (isThere) return
  if (!settings.createIfMissing) {
    throw new SiltstoneError(
      'SILT_NOT_FOUND',
      `There is no sharded store in ${path}; check the path, or leave out createIfMissing: false`,
    )
  }
  const status = fs.statusSync(path)
  if (status === undefined || !status.isDirectory) return
  if (fs.listSync(path).some((name) => name === CURRENT || holdsStoreData(name))) {
    throw invalid(`${path} holds a store that is not sharded; open it with open(), or take another directory`)
  }
}

function freshPlacement(specs: readonly ShardSpec[] | undefined, sharding: ShardingOptions, seed: number): Placement {
  if (specs === undefined) throw invalid("A sharded store is made with a list of shards: { shards: ['a', 'b', 'c'] }")
  const { placement: kind = 'ring', vnodes, splits } = sharding
  if (splits !== undefined && kind !== 'range') throw invalid(`Option splits is for placement 'range', not '${kind}'`)
  const placement = makePlacement(kind, {
    seed,
    ...(vnodes === undefined ? {} : { vnodes }),
    ...(splits === undefined ? {} : { splits }),
  })
  for (const { name, weight } of specs) placement.add(name, weight === undefined ? {} : { weight })
  if (placement instanceof Range && (placement.ranges.length !== specs.length || !placement.isComplete)) {
    throw invalid(
      `Placement 'range' needs one split fewer than shards: ${specs.length - 1}, not ${splits?.length ?? 0}`,
    )
  }
  return placement
}

function freshLayout(placement: Placement, specs: readonly ShardSpec[]): Layout {
  return {
    format: 1,
    store: randomUUID(),
    epoch: 1,
    made: false,
    placement: placement.state(),
    shards: specs.map(placeOf),
    retired: [],
  }
}

export function placeOf({ name, path, sharded }: ShardSpec): ShardPlace {
  return { name, ...(path === undefined ? {} : { path }), ...(sharded === undefined ? {} : { nested: sharded }) }
}

/** What was asked for must be what is on disk; while keys move, the list before and the one after both are. */
function checkSharding(
  layout: Layout,
  directory: OwnershipDirectory,
  specs: readonly ShardSpec[] | undefined,
  sharding: ShardingOptions,
): void {
  const target = directory.plan()?.target
  const { placement, vnodes } = sharding
  const { kind, details } = layout.placement
  if (placement !== undefined && placement !== kind) {
    throw invalid(
      `The store has placement '${kind}', which is settled when it is made, not '${placement}'; nothing was changed`,
    )
  }
  if (vnodes !== undefined && details['vnodes'] !== undefined && vnodes !== details['vnodes']) {
    throw invalid(
      `The store has ${String(details['vnodes'])} vnodes, which is settled when it is made, not ${vnodes}; nothing was changed`,
    )
  }
  if (specs === undefined) return
  const matches = (shards: Layout['placement']['shards']): boolean =>
    shards.length === specs.length &&
    specs.every(({ name, weight }) =>
      shards.some((shard) => shard.name === name && (weight === undefined || weight === shard.weight)),
    )
  if (matches(layout.placement.shards) || (target !== undefined && matches(target.shards))) return
  const onDisk = layout.placement.shards.map(({ name, weight }) =>
    weight === 1 ? `'${name}'` : `'${name}' (weight ${weight})`,
  )
  throw invalid(
    `The store has the shards ${onDisk.join(', ')}; the list that was given differs, and nothing was changed. Leave it out, or use addShard, removeShard and reweight`,
  )
}

async function assemble(
  fs: FileSystem,
  path: string,
  directory: OwnershipDirectory,
  found: Layout,
  settings: GroupSettings,
  opened: Map<string, OpenedShard>,
): Promise<OpenedGroup> {
  let layout = found
  const plan = directory.plan()
  const epoch = plan?.epoch ?? layout.epoch
  const pathOf = (place: ShardPlace): string => place.path ?? `${path}/${place.name}`
  const openOne = async (place: ShardPlace, isNew: boolean, atEpoch: number): Promise<Shard> => {
    const nestedSettings = {
      ...settings,
      errorIfExists: false,
      seed: hashText(place.name, settings.seed ^ 0x6e657374),
    }
    const shard = await openPlace(
      fs,
      pathOf(place),
      place,
      isNew,
      { options: settings.store, threads: settings.threads },
      async (nestedPath, create) => {
        const nested = await openGroup(fs, nestedPath, isNew ? (place.nested ?? {}) : {}, {
          ...nestedSettings,
          createIfMissing: create,
        })
        return {
          shard: nested.group,
          readMark: () => nested.directory.mark(),
          writeMark: (mark) => nested.directory.putMark(mark),
        }
      },
    )
    opened.set(place.name, shard)
    await settleMark(shard, { store: layout.store, name: place.name, epoch: atEpoch }, pathOf(place), isNew)
    return shard.shard
  }
  const shards = new Map<string, Shard>()
  for (const place of layout.shards) shards.set(place.name, await openOne(place, !layout.made, epoch))
  for (const place of plan?.joining ?? []) shards.set(place.name, await openOne(place, true, epoch))
  if (!layout.made) {
    layout = { ...layout, made: true }
    await directory.putLayout(layout)
  }
  for (const place of layout.retired) await destroyPlace(fs, pathOf(place))
  if (layout.retired.length > 0) {
    layout = { ...layout, retired: [] }
    await directory.putLayout(layout)
  }
  const emptying = new Map<string, Shard>()
  for (const place of layout.emptying ?? []) emptying.set(place.name, await openOne(place, false, epoch))
  const frontier = directory.progress()?.frontier
  const ownership =
    plan === undefined
      ? new Ownership(restorePlacement(layout.placement))
      : new Ownership(
          restorePlacement(layout.placement),
          restorePlacement(plan.target),
          frontier
            ? { space: frontier.space, upTo: frontier.upTo === null ? undefined : read(frontier.upTo) }
            : undefined,
        )
  const group = new ShardGroup(layout.store, ownership, shards, new MailRoutes(directory), {
    checkpoint: (target) => directory.checkpoint(target),
    verify: () => directory.verify(),
    onEmptied: (name, shard) => rebalancer.dropEmptied(name, shard),
    beforeClose: () => rebalancer.stop(),
    afterClose: () => directory.close(),
  })
  const rebalancer: Rebalancer = new Rebalancer(
    {
      group,
      directory,
      bytesPerSecond: settings.bytesPerSecond,
      openJoining: (place, atEpoch) => openOne(place, true, atEpoch),
      markAll: async (atEpoch) => {
        for (const name of group.names()) {
          await opened.get(name)!.writeMark({ store: layout.store, name, epoch: atEpoch })
        }
      },
      destroy: (place) => destroyPlace(fs, pathOf(place)),
    },
    layout,
  )
  for (const [name, shard] of emptying) group.mail.keep(name, shard)
  // Mail of shards in threads is asked for with calls that wait: only where there is something to find out.
  if (emptying.size > 0 || !group.mail.routes.isSettled) group.mail.sweep()
  rebalancer.resume()
  return { group, directory, rebalancer }
}
