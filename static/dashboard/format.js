/** Numbers, times and durations as the page shows them. */

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {"local"|"utc"} Zone */
/** @typedef {import("./row.js").Gap} Gap */

/** Units that are said by the way the number is written, or that are none. */
const SILENT_UNITS = new Set(["currency", ""]);

/** @type {Map<string, Intl.NumberFormat>} Making a formatter costs more than a hundred uses of it. */
const numberFormats = new Map();

/** @param {number} value  @param {number} decimals  @param {boolean} isSigned  @returns {string} */
export function formatNumber(value, decimals, isSigned = false) {
  const key = `${decimals}${isSigned}`;
  let format = numberFormats.get(key);
  if (!format) {
    format = new Intl.NumberFormat("en-US", {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
      signDisplay: isSigned ? "exceptZero" : "negative",
    });
    numberFormats.set(key, format);
  }
  return format.format(value).replace("-", "−");
}

/** @param {Metric} metric  @param {number|string|null|undefined} value  @returns {string} `—` for no value */
export function formatValue(metric, value) {
  if (value === null || value === undefined) return "—";
  if (typeof value === "string") return value;
  return formatNumber(asShown(metric, value), metric.decimals, metric.isSigned);
}

/** @param {Metric} metric  @param {number} value  @returns {number} a ratio as percents, any other value as it is */
export function asShown(metric, value) {
  return metric.isPercent ? value * 100 : value;
}

/** @param {Metric} metric  @returns {string} the unit to put behind a value; empty where it goes without saying */
export function unitOf(metric) {
  if (metric.isPercent) return "%";
  return SILENT_UNITS.has(metric.unit) ? "" : metric.unit;
}

/** @param {number} seconds  @returns {string} `9 s`, `4 min`, `3 h 12 min`, `2 d 4 h` */
export function formatDuration(seconds) {
  const whole = Math.max(Math.floor(seconds), 0);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${Math.floor(hours / 24)} d`;
}

/** @type {Record<Gap, string>} */
const GAPS = {
  "": "",
  silent: "gap: nothing was published",
  missing: "gap: snapshots are missing here",
  gone: "gap: not kept any more",
  unknown: "gap: what was published before is not known",
  empty: "gap: no snapshots",
};

/** @param {Gap} gap  @returns {string} */
export function describeGap(gap) {
  return GAPS[gap];
}

/** What was done to a clock. @param {number} seconds ahead; back: negative  @returns {string} `set back by 1 h` */
export function describeStep(seconds) {
  const duration = formatDuration(Math.round(Math.abs(seconds)));
  return seconds < 0 ? `set back by ${duration}` : `set ahead by ${duration}`;
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const timeFormats = new Map();

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const TIME_PARTS = {
  minutes: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  seconds: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  day: { day: "numeric", month: "short" },
  full: { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
};

/** @param {number} timestamp Unix seconds  @param {Zone} zone  @param {keyof typeof TIME_PARTS} parts  @returns {string} */
export function formatTime(timestamp, zone, parts = "seconds") {
  const key = `${zone}${parts}`;
  let format = timeFormats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", { ...TIME_PARTS[parts], ...(zone === "utc" ? { timeZone: "UTC" } : {}) });
    timeFormats.set(key, format);
  }
  return format.format(timestamp * 1000);
}

/** @type {Intl.DateTimeFormat|null} Made when it is first needed: that takes longer than all the clock's other work. */
let zoneFormat = null;

/** @param {Zone} zone  @param {Date} [when]  @returns {string} `UTC`, or this machine's zone: `GMT+2` */
export function zoneName(zone, when = new Date()) {
  if (zone === "utc") return "UTC";
  zoneFormat ??= new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });
  return zoneFormat.formatToParts(when).find((part) => part.type === "timeZoneName")?.value ?? "local";
}
