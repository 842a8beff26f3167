#!/usr/bin/env node
import { run } from './run.js'
import { listenForStops } from './terminal.js'

/*
 * kv-cli. From here: `run` runs one command line, `program` builds as much of the program as that needs, `catalog` knows which
 * file has which command.
 */

listenForStops()
process.exitCode = await run(process.argv.slice(2))
