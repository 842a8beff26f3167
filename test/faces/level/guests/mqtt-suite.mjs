// The suite that aedes-persistence publishes for every storage of the MQTT broker Aedes, run on aedes-persistence-level.
// `node --test-reporter=tap mqtt-suite.mjs DIRECTORY` prints how it went.
import { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import test from 'node:test'
import persistence from 'aedes-persistence-level'
import { SiltstoneLevel } from 'siltstone/level'

const require = createRequire(import.meta.url)
let made = 0

require('aedes-persistence/abstract.js')({
  test,
  buildEmitter: () => new EventEmitter(),
  persistence: () => persistence(new SiltstoneLevel(join(process.argv[2], `${++made}`))),
})
