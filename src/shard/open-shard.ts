import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { FileSystem } from '../fs/file-system.js'
import { open } from '../queue/messaging-database.js'
import { destroy } from '../store/destroy.js'
import { LocalShard } from './local-shard.js'
import { OWNERSHIP_FOLDER, OwnershipDirectory, type ShardPlace } from './ownership-directory.js'
import type { Shard } from './shard.js'
import { checkMark, type ShardMark } from './shard-mark.js'
import type { ShardStoreOptions } from './shard-store-options.js'
import { ThreadClient } from './thread-client.js'
import { ThreadShard } from './thread-shard.js'

/** A shard that is open, and who it says it is. */
export interface OpenedShard {
  readonly shard: Shard
  readMark(): ShardMark | undefined
  writeMark(mark: ShardMark): Promise<void>
}

/** Opens a store inside a store; given from above, because that one opens shards in turn. */
export type NestedOpener = (path: string, create: boolean) => Promise<OpenedShard>

/** Opens what stands in a place. Throws `SILT_NOT_FOUND` where nothing does and `create` is false. */
export async function openPlace(
  fs: FileSystem,
  path: string,
  place: ShardPlace,
  create: boolean,
  settings: { readonly options: ShardStoreOptions; readonly threads: boolean },
  openNested: NestedOpener,
): Promise<OpenedShard> {
  const isNested = place.nested !== undefined || fs.statusSync(`${path}/${OWNERSHIP_FOLDER}`) !== undefined
  if (isNested) return openNested(path, create)
  try {
    if (settings.threads) {
      const shard = new ThreadShard(await ThreadClient.start(path, create, settings.options))
      const mark = shard.readMark()
      return { shard, readMark: () => mark, writeMark: (next) => shard.writeMark(next) }
    }
    const db = await open<Uint8Array, Uint8Array>(path, {
      ...settings.options,
      fs,
      keyEncoding: 'view',
      valueEncoding: 'view',
      createIfMissing: create,
      errorIfExists: false,
    })
    const shard = new LocalShard(db)
    return { shard, readMark: () => shard.readMark(), writeMark: (mark) => shard.writeMark(mark) }
  } catch (error) {
    if (!(error instanceof SiltstoneError) || error.code !== 'SILT_NOT_FOUND') throw error
    throw new SiltstoneError(
      'SILT_NOT_FOUND',
      `Shard '${place.name}' is missing: there is no store in ${path}. Nothing was changed; put its directory back`,
      { cause: error },
    )
  }
}

/**
 * Sees to it that the shard is the one expected. One without a mark is taken over if that is allowed and it is empty: it has just been
 * made, perhaps before a crash.
 */
export async function settleMark(
  opened: OpenedShard,
  expected: ShardMark,
  path: string,
  isNew: boolean,
): Promise<void> {
  const mark = opened.readMark()
  if (mark !== undefined) checkMark(mark, expected, path)
  else if (!isNew)
    throw invalid(`${path} holds a store that is no shard, not shard '${expected.name}'; nothing was changed`)
  else if (opened.shard.spaces().length + opened.shard.mail.names().queues.length > 0) {
    throw invalid(
      `${path} holds a store with keys already, so it cannot become shard '${expected.name}'; take an empty directory`,
    )
  }
  if (mark?.epoch !== expected.epoch) await opened.writeMark(expected)
}

/** Removes what a shard had on disk, shards of its own included. */
export async function destroyPlace(fs: FileSystem, path: string): Promise<void> {
  if (fs.statusSync(`${path}/${OWNERSHIP_FOLDER}`) !== undefined) {
    const directory = await OwnershipDirectory.open(fs, path, false)
    const layout = directory.layout()
    const places = [
      ...(layout?.shards ?? []),
      ...(layout?.retired ?? []),
      ...(layout?.emptying ?? []),
      ...(directory.plan()?.joining ?? []),
    ]
    await directory.close()
    for (const place of places) await destroyPlace(fs, place.path ?? `${path}/${place.name}`)
    // The directory goes last: a destruction that was interrupted can be repeated.
    await destroy(`${path}/${OWNERSHIP_FOLDER}`, { fs })
    if (fs.listSync(path).length === 0) fs.removeDirectorySync(path)
    return
  }
  await destroy(path, { fs })
}
