import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { describeFileSystem } from './conformance.js'

function prepared(disk: SimulatedDisk): SimulatedDisk {
  disk.makeDirectorySync('/ground')
  disk.syncDirectorySync('/')
  return disk
}

describeFileSystem('simulated disk', () => ({ fs: prepared(new SimulatedDisk(1)), directory: '/ground' }))

describeFileSystem('simulated disk after a crash', () => ({
  fs: prepared(new SimulatedDisk(2)).crash(),
  directory: '/ground',
}))
