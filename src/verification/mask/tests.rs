//! Tests of `mask`.

use proptest::prelude::*;

use super::*;

const STYLES: [MaskStyle; 6] = [
    MaskStyle::Name,
    MaskStyle::ResidentId,
    MaskStyle::Phone,
    MaskStyle::Address,
    MaskStyle::LicenceNumber,
    MaskStyle::Whole,
];

fn masked(style: MaskStyle, value: &str) -> String {
    mask(style, &Value::Text(value.into()))
}

#[test]
fn names_keep_what_custom_shows() {
    let check = |name, expect| assert_eq!(masked(MaskStyle::Name, name), expect, "{name}");
    check("张三", "张*");
    check("张三丰", "张*丰");
    check(" 张三丰 ", "张*丰");
    check("𬭎三丰", "𬭎*丰");
    check("欧阳修", "欧**");
    check("歐陽修", "歐**");
    check("欧阳", "欧*");
    check("欧阳娜娜", "欧***");
    check("张三李四", "张***");
    check("阿卜杜拉·买买提", "阿***");
    check("古丽·买", "古***");
    check("李·买", "李***");
    check("John Smith", "J***");
    check("Li", "L***");
    check("E\u{0301}lise", "É***");
    check("葛\u{E0100}城", "葛*");
    check("张\u{200B}三", "张*");
    check("张", "****");
    check("", "****");
}

#[test]
fn numbers_keep_head_and_tail() {
    let check = |style, number, expect| assert_eq!(masked(style, number), expect, "{number}");
    check(MaskStyle::ResidentId, "440100188912310015", "440100********0015");
    check(MaskStyle::ResidentId, "11010519491231002X", "110105********002X");
    check(MaskStyle::ResidentId, "440524800101001", "440524*****1001");
    check(MaskStyle::ResidentId, "4405248001010", "****");
    check(MaskStyle::ResidentId, "12345678", "****");
    check(MaskStyle::Phone, "13812341234", "138****1234");
    check(MaskStyle::Phone, "138 1234 1234", "138****1234");
    check(MaskStyle::Phone, "+86-138-1234-1234", "138****1234");
    check(MaskStyle::Phone, "１３８１２３４１２３４", "138****1234");
    check(MaskStyle::Phone, "020-83133333", "020****3333");
    check(MaskStyle::Phone, "0755-12345678", "075****5678");
    check(MaskStyle::Phone, "83133333", "****");
    check(MaskStyle::Phone, "没有电话", "****");
    check(MaskStyle::LicenceNumber, "JY34401010000001", "JY****01");
    check(MaskStyle::LicenceNumber, "粤A-12345", "粤A****45");
    check(MaskStyle::LicenceNumber, "12345678", "12****78");
    check(MaskStyle::LicenceNumber, "1234567", "****");
}

#[test]
fn addresses_stop_at_the_county() {
    let check = |address: &str, expect: &str| {
        assert_eq!(masked(MaskStyle::Address, address), format!("{expect}****"), "{address}");
    };
    check("广东省广州市天河区体育西路1号", "广东省广州市天河区");
    check("广东省广州市天河区", "广东省广州市天河区");
    check("广州市天河区体育西路1号", "广州市天河区");
    check("天河区体育西路1号", "天河区");
    check("广东省江门市台山市台城街道", "广东省江门市台山市");
    check("广东省梅州市梅县区程江镇", "广东省梅州市梅县区");
    check("广东省汕尾市城区新港街道", "广东省汕尾市城区");
    check("广东省惠州市博罗县罗阳街道", "广东省惠州市博罗县");
    check("广东省韶关市乳源瑶族自治县乳城镇", "广东省韶关市乳源瑶族自治县");
    check("广东省湛江市经济技术开发区乐华路", "广东省湛江市经济技术开发区");
    // Dongguan and Zhongshan have no counties: the towns are hidden.
    check("广东省东莞市虎门镇连升路", "广东省东莞市");
    check("广东省东莞市莞城街道县正路3号", "广东省东莞市");
    check("广东省东莞市松山湖园区科技路", "广东省东莞市");
    check("广东省东莞市长安镇区中心", "广东省东莞市");
    check("广东省中山市火炬社区会展东路", "广东省中山市");
    check("广东省中山市东区街道起湾道", "广东省中山市");
    check("广东省东莞市虎门镇市场路", "广东省东莞市");
    check("广东省东莞市红旗路1号", "广东省东莞市");
    check("广东省东莞市1区3号", "广东省东莞市");
    check("北京市海淀区中关村大街", "北京市海淀区");
    check("上海市浦东新区世纪大道", "上海市浦东新区");
    check("浙江省宁波市镇海区骆驼街道", "浙江省宁波市镇海区");
    check("浙江省台州市路桥区路北街道", "浙江省台州市路桥区");
    check("湖北省荆州市沙市区中山路", "湖北省荆州市沙市区");
    check("湖南省永州市道县濂溪街道", "湖南省永州市道县");
    check("内蒙古自治区呼伦贝尔市鄂温克族自治旗巴彦托海镇", "内蒙古自治区呼伦贝尔市鄂温克族自治旗");
    check("内蒙古自治区锡林郭勒盟太仆寺左旗", "内蒙古自治区锡林郭勒盟太仆寺左旗");
    check("新疆维吾尔自治区喀什地区疏附县托克扎克镇", "新疆维吾尔自治区喀什地区疏附县");
    check("广西壮族自治区桂林市阳朔县", "广西壮族自治区桂林市阳朔县");
    check("四川省凉山彝族自治州西昌市", "四川省凉山彝族自治州西昌市");
    check("香港特别行政区油尖旺区弥敦道", "香港特别行政区油尖旺区");
    // What is not understood is hidden: better a level too few than one too many.
    check("湖南省长沙市宁乡市", "湖南省长沙市");
    check("体育西路1号", "");
    check("花园小区3栋", "");
    check("No. 1, Tiyu Road", "");
    check("市", "");
    check("", "");
}

#[test]
fn whole_tells_nothing_and_what_is_no_text_is_hidden_as_a_whole() {
    assert_eq!(masked(MaskStyle::Whole, "a"), masked(MaskStyle::Whole, "a long value"));
    for style in STYLES {
        assert_eq!(mask(style, &Value::Integer(13_812_341_234)), "****");
        assert_eq!(mask(style, &Value::Boolean(true)), "****");
        assert_eq!(mask(style, &Value::Date("2020-01-31".parse().unwrap())), "****");
    }
}

/// Text of characters that are all different, so that what is hidden cannot stand elsewhere by chance.
fn different_characters(alphabet: &'static str, length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let characters: Vec<char> = alphabet.chars().collect();
    (Just(characters).prop_shuffle(), length)
        .prop_map(|(characters, length)| characters.into_iter().take(length).collect())
}

proptest! {
    #[test]
    fn any_text_is_masked_without_a_panic_and_never_shown_as_it_is(text in "[^*\\s]{2,40}") {
        for style in STYLES {
            let shown = masked(style, &text);
            prop_assert!(shown.contains('*'), "{}", shown);
            prop_assert_ne!(&shown, &text);
        }
    }

    #[test]
    fn a_masked_value_never_contains_what_is_hidden(
        id in different_characters("0123456789ABCDEFGHJK", 14..19),
        phone in "1[0-9]{10}",
        licence in different_characters("0123456789ABCDEFGHJKLMNPQRTUWXY", 8..30),
        name in different_characters("赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨·朱秦尤许", 2..12),
        street in different_characters("体育西南北中大小长短新旧高低", 1..10),
    ) {
        let hides = |style, value: &str, hidden: &str| {
            let shown = masked(style, value);
            prop_assert!(!hidden.chars().any(|c| shown.contains(c)), "{} in {}", hidden, shown);
            Ok(())
        };
        hides(MaskStyle::ResidentId, &id, &id[6..id.len() - 4])?;
        hides(MaskStyle::LicenceNumber, &licence, &licence[2..licence.len() - 2])?;
        let characters: Vec<char> = name.chars().collect();
        let last_shown = usize::from(characters.len() == 3 && !name.contains('·'));
        hides(MaskStyle::Name, &name, &String::from_iter(&characters[1..characters.len() - last_shown]))?;
        hides(MaskStyle::Address, &format!("广东省广州市天河区{street}路9号"), &format!("{street}路9号"))?;
        hides(MaskStyle::Whole, &licence, &licence)?;
        prop_assert_eq!(masked(MaskStyle::Phone, &phone), format!("{}****{}", &phone[..3], &phone[7..]));
    }

    #[test]
    fn an_address_is_shown_from_its_beginning_or_not_at_all(address in "[广东省市州区县镇乡街道路旗盟地自治村1a]{0,30}") {
        let shown = masked(MaskStyle::Address, &address);
        let head = shown.strip_suffix("****").unwrap();
        prop_assert!(address.starts_with(head), "{} of {}", head, address);
    }
}
