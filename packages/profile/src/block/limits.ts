/** Sample times are u32 milliseconds from the block's start: 2^32 ms are 49.7 days. */
export const TIME_SPAN_MAX_MS = 0x1_0000_0000;
