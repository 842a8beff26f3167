// Imports the LevelDB of one directory into the store of another until it is killed. Says a line on stdout for every commit.
import { writeSync } from 'node:fs'
import { ClassicLevel } from 'classic-level'
import { open } from '../../../dist/src/index.js'
import { importLevel } from '../../../dist/src/level.js'

const [from, to] = process.argv.slice(2)
const source = new ClassicLevel(from, { createIfMissing: false })
const db = await open(to, { writeBufferBytes: 64 * 1024 })
await importLevel(source, db, { batchEntries: 20, onProgress: ({ step }) => writeSync(1, `${step}\n`) })
