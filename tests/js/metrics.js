/** Metrics as the server declares them, for tests: one signed number, one plain number, one text. */

/** @typedef {import("../../static/dashboard/catalogue.js").Metric} Metric */

/** @type {Metric} */
export const PNL = { key: "pnl", group: "portfolio", label: "P&L", unit: "currency", isPercent: false, decimals: 2, warn: null, critical: null, worse: "above", type: "float", texts: [], isHero: true, isSigned: true };
/** @type {Metric} */
export const CPU = { key: "cpu", group: "system", label: "CPU", unit: "%", isPercent: false, decimals: 2, warn: 85, critical: 95, worse: "above", type: "float", texts: [], isHero: false, isSigned: false };
/** @type {Metric} */
export const REGIME = { key: "regime", group: "ai", label: "Regime", unit: "", isPercent: false, decimals: 0, warn: null, critical: null, worse: "above", type: "str", texts: ["bull", "sideways", "bear"], isHero: false, isSigned: false };
/** @type {Metric} */
export const RISK = { key: "risk", group: "portfolio", label: "Risk", unit: "ratio", isPercent: true, decimals: 0, warn: 0.5, critical: 0.7, worse: "above", type: "float", texts: [], isHero: false, isSigned: false };
