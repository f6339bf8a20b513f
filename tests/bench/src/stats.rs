//! Medians, percentiles and spreads of what was measured.

use std::time::Duration;

/// The value below which `share` of the values lie.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// Largest minus smallest.
pub fn spread(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    most - least
}

/// How much the second value grows for each unit of the first: the line of the least squares.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let both: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let own: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    both / own
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_rises_is_seen_through_noise() {
        let points: Vec<(f64, f64)> = (0..100).map(|i| (f64::from(i), f64::from(i * 3 + i % 2))).collect();
        assert!((slope(&points) - 3.0).abs() < 0.01);
        assert_eq!(slope(&[(0.0, 7.0), (1.0, 7.0)]), 0.0);
    }

    #[test]
    fn the_middle_and_the_ends_are_found() {
        let values = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(median(&values), 3.0);
        assert_eq!(percentile(&values, 0.99), 5.0);
        assert_eq!(spread(&values), 4.0);
        assert!(median(&[]).is_nan());
    }
}
