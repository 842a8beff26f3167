import { open } from '../../../src/index.js'
import { storeConformance } from './conformance.js'

storeConformance({ name: 'single', open: (fs, options) => open('/store', { ...options, fs }) })
