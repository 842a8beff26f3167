export const STOP_AT: number
export const CALLS: number
export const STATE: number
export const CLOCK: number
export const ACKNOWLEDGED: number
export const OPENED: number
export const PLACES: number
export const RUNNING: number
export const STOPPED: number
export function keyOf(who: string, i: number): string
export function textOf(who: string, i: number): string
