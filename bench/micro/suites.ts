import type { Summary } from 'benny/lib/internal/common-types.js'

/** What a module of this folder exports: its suites, one after the other, each as it is done. */
export type Suites = () => AsyncGenerator<Summary>
