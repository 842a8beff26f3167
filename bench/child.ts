import { rmSync } from 'node:fs'
import { Dataset } from './dataset.js'
import { type Errand, isWanted, type Message } from './errand.js'
import type { LibraryPeer, ProgramPeer } from './peers/peer.js'
import { peerNamed } from './peers/peers.js'
import { peakMemoryBytes } from './process-figures.js'
import type { Reading } from './sample.js'
import { scenarios } from './workloads/scenarios.js'
import { type Scenario, Stage } from './workloads/workload.js'

/*
 * The process in which one peer runs one scenario: its memory, its collector and its threads meet nobody else's. The errand
 * comes as the only argument; what there is to say goes to the parent as messages.
 */

const WARM_UP_KEYS = 20_000
const WARM_UP_SECONDS = 0.2

function tell(message: Message): Promise<void> {
  return new Promise((resolve) => process.send!(message, () => resolve()))
}

async function main(errand: Errand): Promise<void> {
  const peer = peerNamed(errand.peer)
  if (errand.scenario === undefined) {
    await tell({ kind: 'described', description: await peer.describe() })
    return
  }
  const scenario = scenarios.find(({ name }) => name === errand.scenario)
  if (scenario === undefined) throw new Error(`There is no scenario called ${errand.scenario}`)
  if ('open' in peer) await runLibrary(peer, scenario, errand)
  else await runProgram(peer, scenario, errand)
}

async function runLibrary(peer: LibraryPeer, scenario: Scenario, errand: Errand): Promise<void> {
  const { name, durability } = scenario
  const stage = new Stage(peer, errand.directory, durability, new Dataset(errand.keys), errand.pace)
  const report = async (workload: string, readings: readonly Reading[]): Promise<void> => {
    if (!isWanted(errand.only, name, workload)) return
    for (const { part, unit, value } of readings) {
      const title = part === undefined ? workload : `${workload}: ${part}`
      await tell({ kind: 'measured', sample: { scenario: name, workload: title, durability, unit, value } })
    }
  }
  await warmUp(peer, scenario, errand)
  await stage.open()
  for (const workload of scenario.workloads) {
    if (!workload.fills && !isWanted(errand.only, name, workload.title)) continue
    await tell({ kind: 'started', workload: workload.title })
    await report(workload.title, await workload.run(stage))
  }
  const peak = peakMemoryBytes()
  if (scenario.reportsMemory && peak !== undefined) await report('peak memory', [{ unit: 'bytes', value: peak }])
  await stage.close()
}

/**
 * Every library is run in on a small store beside the one that is measured: what is asked is how fast a program goes that runs, not
 * how soon code is compiled. A scenario that runs but once is long enough by itself.
 */
async function warmUp(peer: LibraryPeer, scenario: Scenario, errand: Errand): Promise<void> {
  if (scenario.once) return
  const pace = { ...errand.pace, operations: WARM_UP_KEYS, seconds: WARM_UP_SECONDS, stillMs: 0 }
  const data = new Dataset(Math.min(WARM_UP_KEYS, errand.keys))
  const stage = new Stage(peer, `${errand.directory}-warm-up`, scenario.durability, data, pace)
  await stage.open()
  for (const workload of scenario.workloads) {
    if (workload.fills || isWanted(errand.only, scenario.name, workload.title)) await workload.run(stage)
  }
  await stage.close()
  rmSync(stage.directory, { recursive: true, force: true })
}

async function runProgram(peer: ProgramPeer, scenario: Scenario, errand: Errand): Promise<void> {
  const { name, durability, reportsMemory = false } = scenario
  const { directory, keys, pace } = errand
  const samples = peer.run({
    scenario: name,
    durability,
    directory,
    keys,
    operations: Math.min(keys, pace.operations),
    seconds: pace.seconds,
    reportsMemory,
    isWanted: (workload) => isWanted(errand.only, name, workload),
    starts: (workload) => void tell({ kind: 'started', workload }),
  })
  for await (const sample of samples) await tell({ kind: 'measured', sample })
}

try {
  await main(JSON.parse(process.argv[2]!))
  await tell({ kind: 'done' })
} catch (error) {
  await tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) })
}
process.exit()
