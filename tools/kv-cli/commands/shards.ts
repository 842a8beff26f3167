import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import type { RebalancePlan } from '../../../src/shard/rebalance-plan.js'
import type { ShardedStore } from '../../../src/shard/sharded-store.js'
import { command, type GlobalOptions, noun, withJson, withYes } from '../command.js'
import { Failure, usage } from '../failure.js'
import { pathOf } from '../store.js'
import { out } from '../terminal.js'
import { showBytes, showCount } from '../units.js'

interface ShardOptions extends GlobalOptions {
  readonly json?: boolean
  readonly yes?: boolean
  readonly weight?: string
}

/** A store that is dealt out over shards. */
export function commands(): Command[] {
  return [
    noun('shard', 'a store over several shards: how it is dealt out', [
      ring(),
      locate(),
      balance(),
      plan(),
      add(),
      remove(),
    ]),
  ]
}

async function sharded<T>(options: ShardOptions, use: (store: ShardedStore<Buffer, Buffer>) => Promise<T>): Promise<T> {
  const path = pathOf(options)
  if (!existsSync(path))
    throw new Failure(`There is no sharded store in ${path}: nothing is there; say where with --db`)
  const { openSharded } = await import('../../../src/shard/sharded-store.js')
  const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const
  const store = await openSharded<Buffer, Buffer>(path, { createIfMissing: false, ...encodings })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

function ring(): Command {
  const made = command(
    'ring <shards...>',
    'how keys would be dealt out over a ring of these shards, on made-up keys; needs no store',
    'kv-cli shard ring a b c',
  )
  return withJson(made).action(async (names: string[], _: unknown, self: Command) => {
    const { json } = self.optsWithGlobals<ShardOptions>()
    const { Ring } = await import('../../../src/shard/placement/ring.js')
    const made = new Ring()
    for (const name of names) made.add(name)
    const keys = 20_000
    const counts = new Map(names.map((name) => [name, 0]))
    for (let i = 0; i < keys; i++) {
      const owner = made.locate(`key:${i}`)
      counts.set(owner, (counts.get(owner) ?? 0) + 1)
    }
    for (const [shard, count] of counts) {
      if (json) out.json({ shard, share: count / keys })
      else out.line(`${shard}\t${((count / keys) * 100).toFixed(1)} %\t${'█'.repeat(Math.round((count / keys) * 40))}`)
    }
  })
}

function locate(): Command {
  const made = command('locate <keys...>', 'the shard of a key', 'kv-cli shard locate user:1 --db ./sharded')
  return withJson(made).action(async (keys: string[], _: unknown, self: Command) => {
    const options = self.optsWithGlobals<ShardOptions>()
    await sharded(options, async (store) => {
      for (const key of keys) {
        const shard = store.locate(Buffer.from(key))
        if (options.json) out.json({ key, shard })
        else out.line(`${key}\t${shard}`)
      }
    })
  })
}

function balance(): Command {
  const made = command('balance', 'keys and bytes of each shard', 'kv-cli shard balance --db ./sharded')
  return withJson(made).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<ShardOptions>()
    await sharded(options, async (store) => {
      const { shards, maxOverMean } = store.balance()
      for (const { name, weight, keys, bytes } of shards) {
        if (options.json) out.json({ shard: name, weight, keys, bytes })
        else out.line(`${name}\tweight ${weight}\t${showCount(keys)} keys\t${showBytes(Math.round(bytes))}`)
      }
      if (!options.json) out.line(`the fullest has ${maxOverMean.toFixed(2)} times the mean`)
    })
  })
}

function tellPlan({ movedShare, moves, keysMoved, bytesMoved }: RebalancePlan, json: boolean | undefined): void {
  if (json) {
    out.json({ movedShare, moves, keysMoved, bytesMoved })
    return
  }
  for (const { from, to, share } of moves) out.line(`${from} -> ${to}\t${(share * 100).toFixed(1)} % of the keys`)
  const moved = keysMoved === 0 ? '' : `; ${showCount(keysMoved)} keys, ${showBytes(bytesMoved)} moved`
  out.line(`${(movedShare * 100).toFixed(1)} % of the keys change their shard${moved}`)
}

function plan(): Command {
  const made = command(
    'plan <change> <shard>',
    "what 'add' or 'remove' would move, without moving it",
    'kv-cli shard plan add d --db ./sharded',
  )
  return withJson(made).action(async (change: string, shard: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<ShardOptions>()
    if (change !== 'add' && change !== 'remove') throw usage(`'${change}' is no change; write add or remove`)
    const planned = await sharded(options, (store) =>
      change === 'add' ? store.addShard(shard, { dryRun: true }) : store.removeShard(shard, { dryRun: true }),
    )
    tellPlan(planned, options.json)
  })
}

function add(): Command {
  const made = command('add <shard>', 'add a shard and move to it what is its own', 'kv-cli shard add d --db ./sharded')
  made.option('--weight <n>', 'its share of the keys, relative to the others')
  return withJson(made).action(async (shard: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<ShardOptions>()
    const weight = options.weight === undefined ? 1 : Number(options.weight)
    if (!(weight > 0)) throw usage(`'${options.weight}' is no weight; write a number above 0`)
    tellPlan(await sharded(options, (store) => store.addShard({ name: shard, weight })), options.json)
  })
}

function remove(): Command {
  const made = command(
    'remove <shard>',
    'move everything off a shard, and let go of it',
    'kv-cli shard remove a --db ./sharded --yes',
  )
  return withYes(withJson(made), 'do it').action(async (shard: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<ShardOptions>()
    if (!options.yes)
      throw usage(`This would move everything off '${shard}'; see 'kv-cli shard plan remove ${shard}', then add --yes`)
    tellPlan(await sharded(options, (store) => store.removeShard(shard)), options.json)
  })
}
